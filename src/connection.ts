/**
 * The one loop: choose, read, deliver, lost, again. What to try is policy's, how is the strategy's and the transports', what a frame means to a
 * reader is delivery's; here they are put together.
 */

import { macrotask, now } from './async/clock.ts'
import { child, delay, orAborted } from './async/signals.ts'
import type { Credentials } from './credentials.ts'
import { type Carrier, createCarrier } from './delivery/carrier.ts'
import { createJobs } from './delivery/jobs.ts'
import type { Reader } from './delivery/reader.ts'
import type { Wants } from './delivery/readings.ts'
import { createRefusals } from './delivery/refusals.ts'
import { isJobtailError, JobtailError } from './errors.ts'
import { candidates, emptyHistory, next, type Outcome, record, type Step } from './policy/next.ts'
import { isControl } from './protocol/frames.ts'
import { describe, errorOf } from './strategy/failures.ts'
import type { Ending } from './strategy/link.ts'
import { type Round, type RoundEnd, startRound } from './strategy/round.ts'
import type { ConnectionState, DiagnosticDetail, OpenRequest, RetryOptions, Transport } from './types.ts'

export interface ConnectionOptions {
  /** The supported ones, best first. */
  transports: readonly Transport[]
  /** Reads what is known now, to its end, and no more. */
  look: Transport
  firstLook: boolean
  request: Pick<OpenRequest, 'base' | 'credentials' | 'fetch' | 'WebSocket'>
  staggerMs: number
  probeTimeoutMs: number
  unknownJobGraceMs: number
  retry: Required<RetryOptions>
  /** Asks the token source. */
  authorize(): Promise<Credentials>
  /** Whether asking again may give another token. */
  canReauthorize: boolean
  /** The transport that won here before. */
  recall(): Promise<string | undefined>
  remember(transport: string, latencyMs: number): void
  emit(detail: DiagnosticDetail, attempt: number, transport?: string): void
  /** How many jobs one connection may carry; undefined until a hello has told: then it is one. */
  capacity(): number | undefined
  onHello(mux: number): void
  /** Readers of jobs that this connection can't carry. */
  onSurplus(readers: readonly Reader[]): void
  warn(message: string): void
}

export interface Connection {
  add(reader: Reader): void
  remove(reader: Reader): void
  /** A reader was paused or resumed, or the capacity has become known. */
  changed(): void
  /** Whether it carries the job, or could. */
  takes(job: string): boolean
}

export function createConnection(options: ConnectionOptions): Connection {
  const { transports, look, request, retry, emit } = options
  const jobs = createJobs()
  const looks = new Set<Carrier>()
  let history = emptyHistory(transports.map(({ name }) => name))
  let state: ConnectionState = Object.freeze({ phase: 'idle', transport: undefined, attempt: 0, retryAt: undefined })
  let attempt = 0
  let refs = 0
  let credentials: Promise<Credentials> | undefined
  /** The token source was asked again, and nothing has been read since. */
  let reauthorized = false
  /** Aborted when nobody wants anything any more. */
  let running: AbortController | undefined
  /** Aborted with the outcome when the round is called off. */
  let playing: AbortController | undefined
  let round: Round<Carrier> | undefined
  let settling = false

  const wants = (): Wants => jobs.wants(options.capacity() ?? 1)

  function announce(phase: ConnectionState['phase'], transport?: string, retryAt?: number): void {
    state = Object.freeze({ phase, transport, attempt: history.failures, retryAt })
    for (const reader of jobs.readers()) reader.connection(state)
  }

  async function run(signal: AbortSignal): Promise<void> {
    if (transports.length === 0) return failAll(new JobtailError('unsupported', 'none of the transports is supported here'))
    for (let first = true; ; first = false) {
      const step = next(history, retry, Math.random)
      if (step && step.do !== 'wait') return failAll(errorOf(step, request.base, options.probeTimeoutMs))
      if (step) await wait(step, signal)
      attempt += 1
      announce('connecting')
      const { outcome, transport } = await play(first && options.firstLook, signal)
      if (outcome.kind === 'failed' && attempt === 1) options.warn(describe(outcome.failures, request.base))
      // A link that ends when nothing is left to read was not lost.
      note(outcome.kind === 'lost' && wants().size === 0 ? { kind: 'released' } : outcome, transport)
    }
  }

  function note(outcome: Outcome, transport: string | undefined): void {
    history = record(history, outcome, transport, now())
    const untilMs = history.records[transport ?? '']?.demotedUntil ?? 0
    if (outcome.kind === 'lost' && untilMs > now()) emit({ type: 'demoted', untilMs }, attempt, transport)
  }

  async function wait({ ms, reason }: Step & { do: 'wait' }, signal: AbortSignal): Promise<void> {
    emit({ type: 'waiting', ms, reason }, attempt)
    announce('waiting', undefined, now() + ms)
    await delay(ms, signal)
  }

  /** One round, to its end. Rejects when nobody wants it any more. */
  async function play(withLook: boolean, signal: AbortSignal): Promise<{ outcome: Outcome; transport: string | undefined }> {
    const calledOff = child(signal)
    playing = calledOff
    credentials = undefined
    try {
      const carried = await orAborted(authorize(), calledOff.signal)
      if (withLook) lookAt([...wants().keys()], carried)
      if (attempt === 1) history = { ...history, favourite: await orAborted(options.recall(), calledOff.signal) }
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
      if (calledOff.signal.aborted && !signal.aborted) return { outcome: reason as Outcome, transport } // as: only `callOff` aborts it, with an outcome
      if (signal.aborted) note({ kind: 'released' }, transport)
      signal.throwIfAborted()
      if (isJobtailError(reason)) failAll(reason)
      return { outcome: { kind: 'failed', failures: [{ transport: 'token', reason: 'network', message: String(reason) }] }, transport }
    } finally {
      calledOff.release()
      round = playing = undefined
      for (const { link } of looks) link.end()
    }
  }

  const callOff = (outcome: Outcome): void => playing?.abort(outcome)

  const authorize = (): Promise<Credentials> => (credentials ??= options.authorize())

  function outcomeOf(end: RoundEnd<Carrier>): Outcome {
    if (!end.live) return { kind: 'failed', failures: end.failures }
    const { link, byeMs, events } = end.live
    return byeMs === undefined ? { kind: 'lost', livedMs: now() - (link.provedAt ?? now()), events } : { kind: 'told', atLeastMs: undefined, upToMs: byeMs }
  }

  function carry(transport: Transport, { token, headers }: Credentials, wanted: () => Wants, over: (carrier: Carrier, ending: Ending) => void): Carrier {
    return createCarrier({
      transport,
      request: { ...request, headers, ...(token === undefined ? {} : { token }) },
      probeTimeoutMs: options.probeTimeoutMs,
      nextRef: () => ++refs,
      wants: wanted,
      onProved(carrier) {
        if (looks.has(carrier)) return
        emit({ type: 'probe-proved', afterMs: now() - carrier.link.startedAt }, attempt, transport.name)
        round?.proved(carrier)
      },
      onHello: options.onHello,
      onSubscribed(job) {
        reauthorized = false
        jobs.free(job)
      },
      onEnded(job, status) {
        if (wants().has(job)) emit({ type: 'ended', job, status }, attempt)
      },
      onError,
      onDelivered(frames) {
        if (frames.some(isControl)) settleSoon()
        return relieve()
      },
      onOver: over
    })
  }

  function open(name: string, carried: Credentials): Carrier {
    emit({ type: 'probe-started' }, attempt, name)
    const transport = transports.find((each) => each.name === name) as Transport // as: the candidates are names of these
    return carry(transport, carried, wants, ({ link, events }, { reason, status }) => {
      const { startedAt, provedAt } = link
      const afterMs = now() - startedAt
      if (round?.live?.link === link && reason && provedAt) emit({ type: 'lost', afterMs: now() - provedAt, reason, events }, attempt, name)
      else if (reason) emit({ type: 'probe-failed', afterMs, reason, ...(status === undefined ? {} : { status }) }, attempt, name)
      else if (provedAt === undefined) emit({ type: 'probe-abandoned', afterMs }, attempt, name)
    })
  }

  function onLive({ link }: Carrier, replaced: Carrier | undefined, startedAt: number): void {
    const { transport, provedAt = now() } = link
    if (!replaced) emit({ type: 'live', afterMs: now() - startedAt }, attempt, transport)
    else if (replaced.link.transport !== transport) emit({ type: 'switched', from: replaced.link.transport }, attempt, transport)
    options.remember(transport, provedAt - link.startedAt)
    announce('live', transport)
    settleSoon()
  }

  /** Asks by JSON what is known of these jobs now. Where that path fails, a job that was held goes back to the others. */
  function lookAt(ids: readonly string[], carried: Credentials): void {
    const wanted = (): Wants => new Map(ids.map((job) => [job, jobs.readers(job).filter(({ paused }) => !paused)]))
    const carrier = carry(look, carried, wanted, () => {
      looks.delete(carrier)
      for (const job of ids) jobs.free(job, true)
      settleSoon()
    })
    looks.add(carrier)
  }

  const onError = createRefusals({
    jobs,
    unknownJobGraceMs: options.unknownJobGraceMs,
    lookAt: (job) =>
      void authorize().then(
        (carried) => lookAt([job], carried),
        () => jobs.free(job)
      ),
    onUnauthorized(error) {
      if (reauthorized || !options.canReauthorize) return failAll(error)
      reauthorized = true
      callOff({ kind: 'reauthorized' })
    },
    onBusy(atLeastMs, carrier) {
      if (round?.live && round.live !== carrier) return false
      callOff({ kind: 'told', atLeastMs, upToMs: undefined })
      return true
    }
  })

  function failAll(error: JobtailError): void {
    for (const reader of jobs.readers()) reader.fail(error)
    history = emptyHistory(history.order)
    attempt = 0
    reauthorized = false
  }

  /** A reader that can't hold more gets one task to take what it has; then its job's reading is let go. */
  function relieve(): Promise<void> | undefined {
    if (!jobs.readers().some(({ full, paused }) => full && !paused)) return undefined
    return macrotask().then(() => {
      for (const reader of jobs.readers()) {
        if (!reader.full || reader.paused) continue
        reader.paused = true
        emit({ type: 'paused' }, attempt)
        changed()
      }
    })
  }

  function changed(): void {
    jobs.changed()
    settleSoon()
  }

  function settleSoon(): void {
    if (settling) return
    settling = true
    queueMicrotask(() => {
      settling = false
      settle()
    })
  }

  /** Brings the links in line with what is wanted. */
  function settle(): void {
    const surplus = jobs.beyond(options.capacity() ?? Infinity)
    for (const reader of surplus) jobs.remove(reader)
    if (surplus.length > 0) options.onSurplus(surplus)
    const wanted = wants()
    if (wanted.size === 0) return void macrotask().then(release)
    if (!running) return start()
    for (const { readings } of looks) readings.join(wanted)
    for (const carrier of [...(round?.contenders ?? [])]) adjust(carrier, wanted)
  }

  function adjust(carrier: Carrier, wanted: Wants): void {
    const { link, readings } = carrier
    readings.join(wanted)
    if (link.provedAt !== undefined && readings.serves(wanted)) round?.serves(carrier)
    if (!readings.differs(wanted)) return
    if (link.update) link.update(readings.ask(wanted))
    else if (link.provedAt !== undefined && !(carrier === round?.live && round.replacing)) round?.replace(carrier)
  }

  function start(): void {
    running = new AbortController()
    run(running.signal)
      .catch(() => {}) // it only rejects when it is let go
      .finally(() => {
        running = undefined
        announce(jobs.readers().length > 0 && wants().size === 0 ? state.phase : 'idle')
        if (wants().size > 0) settleSoon()
      })
  }

  function release(): void {
    if (wants().size > 0) return
    running?.abort(new DOMException('nothing is wanted any more', 'AbortError'))
    if (jobs.readers().length === 0) for (const { link } of looks) link.end()
  }

  return {
    add(reader) {
      jobs.add(reader)
      reader.connection(state)
      settleSoon()
    },
    remove(reader) {
      jobs.remove(reader)
      settleSoon()
    },
    changed,
    // Until a hello has told, the others wait for it behind the first.
    takes: (job) => jobs.takes(job, options.capacity() ?? Infinity)
  }
}
