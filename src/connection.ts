/**
 * The one loop: choose, read, deliver, lost, again. What to try is policy's, how is the strategy's and the transports', what a frame means to a
 * reader is delivery's; here they are put together.
 */

import { macrotask, now } from './async/clock.ts'
import { child, delay, orAborted } from './async/signals.ts'
import type { Credentials } from './credentials.ts'
import type { Carrier, CarrierOptions } from './delivery/carrier.ts'
import type { Reader } from './delivery/reader.ts'
import { createTraffic, type TrafficOptions } from './delivery/traffic.ts'
import { isJobtailError, JobtailError } from './errors.ts'
import { candidates, emptyHistory, next, type Outcome, record, type Step } from './policy/next.ts'
import { describe, errorOf } from './strategy/failures.ts'
import { type Round, type RoundEnd, startRound } from './strategy/round.ts'
import type { ConnectionState, DiagnosticDetail, RetryOptions, Transport } from './types.ts'

export interface ConnectionOptions extends TrafficOptions {
  /** The supported ones, best first. */
  transports: readonly Transport[]
  staggerMs: number
  retry: Required<RetryOptions>
  /** Asks the token source. */
  authorize(): Promise<Credentials>
  /** Whether asking again may give another token. */
  canReauthorize: boolean
  /** The transport that won here before. */
  recall(signal: AbortSignal): Promise<string | undefined>
  remember(transport: string, latencyMs: number): void
  emit(detail: DiagnosticDetail, attempt?: number, transport?: string): void
  /** A whole first round has failed. */
  warn(message: string): void
}

export interface Connection {
  add(reader: Reader): void
  remove(reader: Reader): void
  /** A reader was resumed, or the capacity has become known. */
  changed(): void
  /** Whether it carries the job, or could. */
  takes(job: string): boolean
}

/** How a round ended, and the transport that goes first next time. */
interface Played {
  outcome: Outcome
  transport: string | undefined
}

export function createConnection(options: ConnectionOptions): Connection {
  const { transports, retry } = options
  let history = emptyHistory(transports.map(({ name }) => name))
  let state: ConnectionState = Object.freeze({ phase: 'idle', transport: undefined, attempt: 0, retryAt: undefined })
  let attempt = 0
  let credentials: Promise<Credentials> | undefined
  /** The token source was asked again, and nothing has been read since. */
  let reauthorized = false
  /** Aborted when nobody wants anything any more. */
  let running: AbortController | undefined
  /** Aborted with its outcome when the round is called off. */
  let playing: AbortController | undefined
  let round: Round<Carrier> | undefined
  /** It can't read what is wanted now, and is read on until another one does. */
  let outgoing: Carrier | undefined

  const emit = (detail: DiagnosticDetail, transport?: string): void => options.emit(detail, attempt, transport)
  /** Ends the round; what carried it, or who it was called off for, comes first in the next one. */
  function callOff(outcome: Outcome, cause?: Carrier): void {
    const carrier = round && cause && round.contenders.has(cause) ? cause : round?.live
    playing?.abort({ outcome, transport: carrier?.link.transport ?? history.favourite } satisfies Played)
  }
  const authorize = (): Promise<Credentials> => (credentials ??= options.authorize())

  const traffic = createTraffic(options, {
    round: () => round,
    credentials: authorize,
    start,
    release: () => running?.abort(new DOMException('nothing is wanted any more', 'AbortError')),
    onSubscribed() {
      reauthorized = false
    },
    onUnauthorized(error) {
      if (playing?.signal.aborted) return // another one's refusal, of the same token, came first
      if (reauthorized || !options.canReauthorize) return failAll(error)
      reauthorized = true
      callOff({ kind: 'reauthorized' })
    },
    onBusy(atLeastMs, carrier) {
      // A candidate that is refused is no reason to leave what works.
      if (round?.live && round.live !== carrier) return false
      callOff({ kind: 'told', atLeastMs, upToMs: undefined }, carrier)
      return true
    },
    onStale() {
      const live = round?.leave()
      if (live) endOutgoing(live)
      callOff({ kind: 'released' })
    },
    onServes(carrier) {
      round?.serves(carrier)
      if (round?.live === carrier) endOutgoing()
    },
    emit
  })
  const { jobs, wants } = traffic

  function endOutgoing(next?: Carrier): void {
    outgoing?.link.end()
    outgoing = next
  }

  function announce(phase: ConnectionState['phase'], transport?: string, retryAt?: number): void {
    state = Object.freeze({ phase, transport, attempt: history.failures, retryAt })
    for (const reader of jobs.readers()) reader.connection(state)
  }

  function start(): void {
    if (running) return
    const controller = new AbortController()
    running = controller
    run(controller.signal)
      .catch((cause) => {
        if (!controller.signal.aborted) failAll(new JobtailError('protocol', `the connection has failed: ${cause}`, { cause }))
      })
      .finally(() => {
        running = undefined
        endOutgoing()
        announce(jobs.areHeld() ? 'waiting' : 'idle')
        traffic.changed()
      })
  }

  async function run(signal: AbortSignal): Promise<void> {
    if (transports.length === 0) return failAll(new JobtailError('unsupported', 'none of the transports is supported here'))
    for (let isFirst = true; ; isFirst = false) {
      // The job's end and the link's come together; what was let go is not tried again.
      if (wants().size === 0) await macrotask()
      signal.throwIfAborted()
      const step = next(history, retry, Math.random)
      if (step && step.do !== 'wait') return failAll(errorOf(step, options.request.base, options.probeTimeoutMs))
      if (step) await wait(step, signal)
      attempt += 1
      if (!outgoing) announce('connecting')
      const { outcome, transport } = await play(isFirst, signal)
      if (outcome.kind === 'failed' && attempt === 1) options.warn(describe(outcome.failures, options.request.base))
      conclude(outcome, transport)
    }
  }

  async function wait({ ms, reason }: Step & { do: 'wait' }, signal: AbortSignal): Promise<void> {
    emit({ type: 'waiting', ms, reason })
    announce('waiting', undefined, now() + ms)
    await delay(ms, signal)
  }

  /** One round, to its end. Rejects when nobody wants it any more. */
  async function play(isFirst: boolean, signal: AbortSignal): Promise<Played> {
    const calledOff = child(signal)
    playing = calledOff
    credentials = undefined
    try {
      const carried = await orAborted(authorize(), calledOff.signal)
      traffic.startLooks(carried, isFirst)
      if (attempt === 1) history = { ...history, favourite: await orAborted(options.recall(calledOff.signal), calledOff.signal) }
      const startedAt = now()
      round = startRound({
        ...candidates(history, now()),
        staggerMs: options.staggerMs,
        open: (name) => open(name, carried),
        onLive: (live, replaced) => onLive(live, replaced, startedAt),
        signal: calledOff.signal
      })
      const end = await round.over
      return { outcome: outcomeOf(end), transport: end.live?.link.transport }
    } catch (reason) {
      const transport = round?.live?.link.transport ?? history.favourite
      if (signal.aborted) conclude({ kind: 'released' }, transport)
      signal.throwIfAborted()
      if (calledOff.signal.aborted) return reason as Played // as: only `callOff` aborts it, with one
      if (isJobtailError(reason)) failAll(reason)
      return { outcome: { kind: 'failed', failures: [{ transport: 'token', reason: 'network', message: String(reason) }] }, transport }
    } finally {
      calledOff.release()
      round = playing = undefined
      traffic.endLooks()
    }
  }

  function conclude(outcome: Outcome, transport: string | undefined): void {
    history = record(history, outcome, transport, now())
    const untilMs = history.records[transport ?? '']?.demotedUntil ?? 0
    if (outcome.kind === 'lost' && untilMs > now()) emit({ type: 'demoted', untilMs }, transport)
  }

  function outcomeOf(end: RoundEnd<Carrier>): Outcome {
    if (!end.live) return { kind: 'failed', failures: end.failures }
    const { link, byeMs, events } = end.live
    return byeMs === undefined ? { kind: 'lost', livedMs: link.livedMs, events } : { kind: 'told', atLeastMs: undefined, upToMs: byeMs }
  }

  function open(name: string, carried: Credentials): Carrier {
    emit({ type: 'probe-started' }, name)
    const transport = transports.find((each) => each.name === name) as Transport // as: the candidates are names of these
    return traffic.carry(transport, carried, onOver, (carrier) => {
      emit({ type: 'probe-proved', afterMs: now() - carrier.link.startedAt }, name)
      round?.proved(carrier)
    })
  }

  const onOver: CarrierOptions['onOver'] = (carrier, { reason, status }) => {
    const { link, events } = carrier
    const { startedAt, provedAt, transport } = link
    if (carrier === outgoing) return
    // What ends when nothing is left to read has neither failed nor been lost, and needs nothing in its place.
    if (wants().size === 0) callOff({ kind: 'released' }, carrier)
    const afterMs = now() - startedAt
    if (!reason || wants().size === 0) {
      if (provedAt === undefined) emit({ type: 'probe-abandoned', afterMs }, transport)
    } else if (provedAt !== undefined && round?.live?.link === link) emit({ type: 'lost', afterMs: now() - provedAt, reason, events }, transport)
    else emit({ type: 'probe-failed', afterMs, reason, status }, transport)
  }

  function onLive({ link }: Carrier, replaced: Carrier | undefined, startedAt: number): void {
    const { transport, provedAt = now() } = link
    if (!replaced) emit({ type: 'live', afterMs: now() - startedAt }, transport)
    else if (replaced.link.transport !== transport) emit({ type: 'switched', from: replaced.link.transport }, transport)
    options.remember(transport, provedAt - link.startedAt)
    announce('live', transport)
  }

  function failAll(error: JobtailError): void {
    for (const reader of jobs.readers()) reader.fail(error)
    history = emptyHistory(history.order)
    attempt = 0
    reauthorized = false
  }

  return {
    add(reader) {
      jobs.add(reader)
      reader.connection(state)
      traffic.changed()
    },
    remove(reader) {
      jobs.remove(reader)
      traffic.changed()
    },
    changed: traffic.changed,
    // Until a hello has told, the others wait for it behind the first.
    takes: (job) => jobs.takes(job, options.capacity() ?? Infinity)
  }
}
