/**
 * The one loop: choose, read, deliver, lost, again. What to try is policy's, how is the strategy's and the transports', what a frame means to a
 * reader is delivery's; here they are put together.
 */

import { macrotask, now } from './async/clock.ts'
import { delay } from './async/signals.ts'
import type { Carrier } from './delivery/loop.ts'
import type { Reader } from './delivery/reader.ts'
import { createTraffic, type TrafficOptions } from './delivery/traffic.ts'
import { isJobtailError, JobtailError, type TransportError } from './errors.ts'
import { createPage, isOffline, networkType } from './page.ts'
import { candidates, type End, next, type Outcome, ranking, retrialMs, type Step } from './policy/next.ts'
import { IDLE } from './state.ts'
import { createExperience, type ExperienceOptions } from './strategy/experience.ts'
import { describe, errorOf } from './strategy/failures.ts'
import { type Round, startRound } from './strategy/round.ts'
import { createTokens, type TokensOptions } from './strategy/tokens.ts'
import type { ConnectionState, DiagnosticDetail, RetryOptions, Transport } from './types.ts'

export interface ConnectionOptions extends TrafficOptions, TokensOptions, Pick<ExperienceOptions, 'recall' | 'remember'> {
  /** The supported ones, best first. */
  transports: readonly Transport[]
  staggerMs: number
  retry: Required<RetryOptions>
  emit(detail: DiagnosticDetail, attempt?: number, transport?: string): void
  /** A whole first round has failed. */
  warn(message: string): void
}

export interface Connection {
  add(reader: Reader): void
  remove(reader: Reader): void
  /** A reader was resumed, or the capacity has become known. */
  changed(): void
  follows(job: string): boolean
  /** Whether it carries the job, or could. */
  takes(job: string): boolean
}

/** What is wanted may change as often while a link is opened; more often it is the server that doesn't give it, and is asked ever more rarely. */
const MAX_AGAIN = 5

/** WebKit cuts what a page reads some ms before it tells that the page is put away. */
const FAREWELL_MS = 1000

export function createConnection(options: ConnectionOptions): Connection {
  const { transports, retry, recall, remember } = options
  let state = IDLE
  let attempt = 0
  /** The pause or the round under way; aborted with its outcome when it is called off. Undefined where nothing runs. */
  let turn: AbortController | undefined
  let round: Round<Carrier> | undefined
  let roundAt = 0
  /** When the wait under way is over. */
  let retryAt: number | undefined
  /** Links in a row that could not read all that was wanted. */
  let stale = 0
  /** It can't read what is wanted now, and is read on until another one does. */
  let outgoing: Carrier | undefined

  const emit = (detail: DiagnosticDetail, transport?: string): void => options.emit(detail, attempt, transport)
  const experience = createExperience({ order: transports.map(({ name }) => name), recall, remember, emit })
  const tokens = createTokens(options)
  /** Followed while there are readers. */
  const page = createPage((type) => emit({ type }))
  let unfollow: (() => void) | undefined

  /** Ends the round; what carried it, or who it was called off for, comes first in the next one. */
  function callOff(end: End, cause?: Carrier): void {
    const carrier = cause && round?.contenders.has(cause) ? cause : round?.live
    turn?.abort({ ...end, transport: carrier?.transport ?? experience.history.favourite } satisfies Outcome)
  }

  /** Goes on with another round: at once, unless that has been so too often in a row. */
  const again = (times: number): void => callOff(times > MAX_AGAIN ? { kind: 'busy', atLeastMs: 0 } : { kind: 'released' })

  /** What becomes of it is no reason to leave what works. */
  const isSpare = (carrier: Carrier): boolean => round?.live !== undefined && round.live !== carrier

  const traffic = createTraffic(options, {
    round: () => round,
    start,
    release: () => callOff({ kind: 'released' }),
    onProved(carrier) {
      emit({ type: 'probe-proved', afterMs: now() - carrier.startedAt }, carrier.transport)
      round?.offer(carrier, false)
    },
    onSettled(carrier, serves) {
      round?.offer(carrier, serves)
      if (!serves || round?.live !== carrier) return
      endOutgoing()
      stale = 0
    },
    onStale(isFlood) {
      endOutgoing(isFlood ? undefined : round?.live)
      if (outgoing) round?.contenders.delete(outgoing)
      stale += 1
      again(stale)
    },
    onOver,
    credentials: tokens.credentials,
    onSubscribed: tokens.forget,
    isAway: () => page.isAway,
    onUnauthorized(error, carrier) {
      if (!turn || turn.signal.aborted) return // another one's refusal, of the same token, came first
      if (tokens.areOld(carrier.credentials)) return carrier.end()
      if (isSpare(carrier)) {
        // What is opened next has a new token.
        carrier.end()
        void tokens.authorize(turn.signal).catch(() => {})
        return
      }
      const times = tokens.refuse()
      if (times === undefined) failAll(error)
      else again(times)
    },
    onBusy(atLeastMs, carrier) {
      if (isSpare(carrier)) return false
      callOff({ kind: 'busy', atLeastMs }, carrier)
      return true
    },
    emit
  })
  const { jobs, wanted } = traffic

  function endOutgoing(next?: Carrier): void {
    outgoing?.end()
    outgoing = next
  }

  function announce(phase: ConnectionState['phase'], transport?: string, retryAt?: number): void {
    state = Object.freeze({ phase, transport, attempt: experience.history.failures, retryAt, problem: undefined })
    for (const reader of jobs.all()) reader.connection(state)
  }

  function start(): void {
    if (turn) return
    run()
      .catch((cause) => failAll(new JobtailError('protocol', `the connection has failed: ${cause}`, { cause })))
      .finally(() => {
        turn = undefined
        endOutgoing()
        rest()
        traffic.changed()
      })
  }

  /** Nothing is read by a link. */
  function rest(): void {
    const readers = jobs.all()
    if (jobs.areHeld()) announce('waiting')
    else if (readers.some(({ behind }) => behind)) announce('live', 'short-poll')
    else announce('idle')
    if (readers.length > 0) return
    unfollow?.()
    unfollow = undefined
  }

  async function run(): Promise<void> {
    if (transports.length === 0) return failAll(new JobtailError('unsupported', 'none of the transports is supported here'))
    for (;;) {
      // The job's end and the link's come together; what was let go is not tried again.
      if (wanted().length === 0) await macrotask()
      if (wanted().length === 0) return
      const step = next(experience.history, retry, Math.random)
      if (step?.do === 'stop') return failAll(errorOf(step, options.request.base, options.probeTimeoutMs))
      turn = new AbortController()
      const { signal } = turn
      try {
        if (step) await waitOut(step, signal)
        await page.present(signal)
      } catch {
        continue // called off: what is wanted has changed
      }
      if (wanted().length > 0) await play(turn)
    }
  }

  async function waitOut({ ms, reason, isFirm }: Step & { do: 'wait' }, signal: AbortSignal): Promise<void> {
    // Not for ever: browsers have been wrong about that.
    const pauseMs = isOffline() && !isFirm ? Math.max(ms, retry.maxMs) : ms
    emit({ type: 'waiting', ms: pauseMs, reason })
    retryAt = now() + pauseMs
    announceWait()
    await (isFirm ? delay : page.pause)(pauseMs, signal).finally(() => {
      retryAt = undefined
    })
  }

  const announceWait = (): void => announce(isOffline() ? 'offline' : 'waiting', undefined, retryAt)

  /** The page is put away: nothing stays open, and nothing is opened until it is back. */
  function onLeave(): void {
    experience.forgive(FAREWELL_MS)
    if (!retryAt) callOff({ kind: 'released' })
    endOutgoing()
    traffic.endLooks(true)
  }

  /** What was waited for may have come, what is live may have died, and what is shown may be out of date. */
  function reconsider(): void {
    if (retryAt) announceWait()
    round?.live?.check()
  }

  /** One round, to its end. */
  async function play(controller: AbortController): Promise<void> {
    attempt += 1
    if (!outgoing) announce('connecting')
    const outcome = await carry(controller)
    round = undefined
    traffic.endLooks()
    if (outcome.kind === 'failed' && attempt === 1 && wanted().length > 0) options.warn(describe(outcome.failures, options.request.base))
    experience.record(outcome)
  }

  async function carry(controller: AbortController): Promise<Outcome> {
    const { signal } = controller
    try {
      await tokens.authorize(signal)
      traffic.begin()
      await experience.recall(networkType(), signal)
      roundAt = now()
      round = startRound({
        candidates: candidates(experience.history, roundAt),
        rank: () => ranking(experience.history, now()),
        staggerMs: options.staggerMs,
        pause: (tries, until) => page.pause(retrialMs(tries, Math.random), until),
        renew: tokens.authorize,
        open,
        onLive,
        controller
      })
      const failures = await round.over
      return round.live ? await lifeOf(round.live) : { kind: 'failed', failures, transport: undefined }
    } catch (reason) {
      if (signal.reason === reason) return reason as Outcome // as: only `callOff` aborts it before the end, with one
      if (isJobtailError(reason)) failAll(reason)
      // Never its text: there may be a token in it.
      const message = `the token or header source threw ${reason instanceof Error ? reason.name : typeof reason}`
      return { kind: 'failed', failures: [{ transport: 'token', reason: 'network', message }], transport: experience.history.favourite }
    }
  }

  async function lifeOf({ ended, heardAt, provedAt = 0, events, byeMs, transport }: Carrier): Promise<Outcome> {
    const error = await ended
    const untilMs = error?.reason === 'silent' ? heardAt : undefined
    return { kind: 'lost', livedMs: (untilMs ?? now()) - provedAt, events, byeMs, transport }
  }

  function open(name: string): Carrier {
    emit({ type: 'probe-started' }, name)
    return traffic.open(transports.find((each) => each.name === name) as Transport) // as: the candidates are names of these
  }

  function onOver(carrier: Carrier, error: TransportError | undefined): void {
    const { startedAt, provedAt, transport, events } = carrier
    if (carrier === outgoing) return
    const afterMs = now() - startedAt
    // What ends when nothing is left to read has neither failed nor been lost, and needs nothing in its place.
    const isNeeded = wanted().length > 0
    if (!isNeeded) callOff({ kind: 'released' }, carrier)
    if (!error || !isNeeded) {
      if (!provedAt) emit({ type: 'probe-abandoned', afterMs }, transport)
    } else if (provedAt && round?.live === carrier) emit({ type: 'lost', afterMs: now() - provedAt, reason: error.reason, events }, transport)
    else {
      emit({ type: 'probe-failed', afterMs, reason: error.reason, status: error.status }, transport)
      if (error.reason === 'mute') experience.disappointed(transport)
    }
  }

  function onLive({ transport, provedAt = 0, startedAt }: Carrier, replaced: Carrier | undefined): void {
    if (!replaced) emit({ type: 'live', afterMs: now() - roundAt }, transport)
    else if (replaced.transport !== transport) emit({ type: 'switched', from: replaced.transport }, transport)
    experience.proved(transport, provedAt - startedAt)
    announce('live', transport)
  }

  function failAll(error: JobtailError): void {
    for (const reader of jobs.all()) reader.fail(error)
    experience.forget()
    attempt = 0
    tokens.forget()
  }

  return {
    add(reader) {
      jobs.add(reader)
      unfollow ??= page.follow({ onLeave, onChange: reconsider })
      reader.connection(state)
      traffic.changed()
    },
    remove(reader) {
      jobs.remove(reader)
      if (!turn) rest()
      traffic.changed()
    },
    changed: traffic.changed,
    // Until a hello has told, the others wait for it behind the first.
    takes: jobs.takes,
    follows: (job) => jobs.readers(job).length > 0
  }
}
