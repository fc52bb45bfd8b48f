/** Keeps the links in line with what the readers want, and the readers in line with what they can hold; says what a frame means to them. */

import { macrotask } from '../async/clock.ts'
import type { Credentials } from '../credentials.ts'
import { type JobtailError, saidBy, TransportError } from '../errors.ts'
import { type Verdict, verdict } from '../policy/verdict.ts'
import { type ErrorControl, type Frame, isControl } from '../protocol/frames.ts'
import { isTerminal, TAIL } from '../protocol/rules.ts'
import { type RunningLink, runLink } from '../strategy/link.ts'
import type { Round } from '../strategy/round.ts'
import type { DiagnosticDetail, OpenRequest, Transport } from '../types.ts'
import { createJobs, type Jobs } from './jobs.ts'
import { createLooks, type Looks } from './looks.ts'
import type { Reader } from './reader.ts'
import { createReadings, type Readings } from './readings.ts'

/** A link with what it reads. */
export interface Carrier extends RunningLink {
  readonly readings: Readings
  /** What it was opened with. */
  readonly credentials: Credentials
  /** A look: it reads these jobs, and no more than is known now. */
  readonly looksAt: readonly string[] | undefined
}

export interface TrafficOptions {
  /** Reads what is known now, to its end, and no more. */
  look: Transport
  firstLook: boolean
  request: Pick<OpenRequest, 'base' | 'credentials' | 'fetch' | 'WebSocket'>
  probeTimeoutMs: number
  unknownJobGraceMs: number
  /** How many jobs one connection may carry; undefined until a hello has told: then it is one. */
  capacity(): number | undefined
  onHello(mux: number): void
  /** Readers of jobs that this connection can't carry. */
  onSurplus(readers: readonly Reader[]): void
}

/** What the loop tells, and is told. */
export interface Loop {
  /** The round under way. */
  round(): Round<Carrier> | undefined
  /** Something is wanted: whatever runs goes on. */
  start(): void
  /** Nothing is wanted any more, for a task now. */
  release(): void
  onProved(carrier: Carrier): void
  /** A proved link's readings have changed, or what is wanted has. */
  onSettled(carrier: Carrier, serves: boolean): void
  /** A proved link can't change what it reads to what is wanted now; with `isFlood` it brings what a reader who is behind can't take. */
  onStale(isFlood: boolean): void
  onOver(carrier: Carrier, error: TransportError | undefined): void
  /** What was asked for can be read. */
  onSubscribed(): void
  /** The page is put away: nothing may be open. */
  isAway(): boolean
  onUnauthorized(error: JobtailError, carrier: Carrier): void
  /** The server is busy: wait at least so long. True where that was for this link to say. */
  onBusy(atLeastMs: number, carrier: Carrier): boolean
  emit(detail: DiagnosticDetail, transport?: string): void
}

export interface Traffic extends Pick<Looks, 'begin' | 'endLooks'> {
  readonly jobs: Jobs
  wanted(): string[]
  /** For what is opened from now on. */
  renew(credentials: Credentials): void
  /** Opens a link for what is wanted. */
  open(transport: Transport): Carrier
  /** To be called whenever the readers, or what they can hold, have changed. */
  changed(): void
}

export function createTraffic(options: TrafficOptions, loop: Loop): Traffic {
  const jobs = createJobs(options.capacity, onDue)
  /** All that is open. */
  const carriers = new Set<Carrier>()
  let credentials: Credentials
  let isSettling = false

  const { wanted } = jobs
  const looks = createLooks(options.firstLook, jobs, loop, (at, active) => open(options.look, at, active))

  function open(transport: Transport, looksAt?: readonly string[], active: Readings['active'] = jobs.active): Carrier {
    const { request, probeTimeoutMs } = options
    const own = credentials
    const readings = createReadings(active)
    const link = runLink({
      transport: transport.name,
      open: (signal) => transport.open({ ...request, ...own, headers: new Headers(own.headers), jobs: readings.ask(looksAt ?? wanted()), signal }),
      probeTimeoutMs,
      onProved() {
        if (!looksAt) loop.onProved(carrier)
      },
      onSuspect(silentMs) {
        if (loop.round()?.live === carrier) void looks.lookBeside(carrier, silentMs)
      },
      onFrame: (frame) => deliver(frame, carrier),
      isFull: () => overfull().length > 0,
      onFull: relieve
    })
    const carrier: Carrier = Object.assign(link, { readings, credentials: own, looksAt })
    carriers.add(carrier)
    carrier.ended.then((error) => {
      carriers.delete(carrier)
      if (!looksAt) loop.onOver(carrier, error)
      changed()
    })
    return carrier
  }

  // ---- what comes in

  function deliver(frame: Frame, carrier: Carrier): void {
    const { readings } = carrier
    if (!isControl(frame)) {
      const { job, type } = frame
      if (isTerminal(type) && readings.active(job).length > 0) loop.emit({ type: 'ended', job, status: type })
      return readings.event(frame)
    }
    changed()
    switch (frame.control) {
      case 'hello':
        return options.onHello(frame.mux ?? 1)
      case 'subscribed':
        loop.onSubscribed()
        jobs.free(frame.job)
        return readings.subscribed(frame)
      case 'done':
        return readings.done(frame)
      case 'more':
        return readings.more(frame)
      case 'error':
        return refuse(frame, carrier)
    }
  }

  /** What becomes of a job, or of all, when the server says `error` (PROTOCOL.md §7). */
  function refuse(error: ErrorControl, carrier: Carrier): void {
    const { job, status, message, retryAfterMs = 0 } = error
    const { readings } = carrier
    const cursor = job && readings.drop(job)?.cursor
    const decision = verdict(status, !!cursor && cursor !== TAIL)
    if (decision === 'reauthorize') return loop.onUnauthorized(saidBy(job ? `job ${job}` : 'all jobs', error), carrier)
    // Beside what works no refusal counts.
    if (looks.isBeside(carrier)) return
    if (job) return refuseJob(job, decision, error)
    if (decision !== 'wait') for (const each of readings.jobs()) refuse({ ...error, job: each }, carrier)
    else if (!loop.onBusy(retryAfterMs, carrier)) carrier.end(new TransportError('status', message, { status }))
  }

  function refuseJob(job: string, decision: Verdict, error: ErrorControl): void {
    const readers = jobs.readers(job)
    if (decision === 'wait') return void jobs.hold(job, error.retryAfterMs ?? 0)
    if (decision === 'ask-again') {
      // Where another path has it already, this one spoke too early.
      if (readers.some(({ position }) => position.epoch) || jobs.hold(job, 0, options.unknownJobGraceMs)) return
    }
    for (const reader of readers) reader.fail(saidBy(`job ${job}`, error, decision === 'history-gone' ? decision : undefined))
  }

  const overfull = (): Reader[] => jobs.all().filter(({ full, paused }) => full && !paused)

  /** Lets go of the jobs of readers that can't hold more. */
  function relieve(): void {
    for (const reader of overfull()) {
      reader.paused = reader.behind = true
      loop.emit({ type: 'paused' })
    }
    changed()
  }

  // ---- what is wanted

  function changed(): void {
    if (!isSettling) queueMicrotask(settle)
    isSettling = true
  }

  function settle(): void {
    isSettling = false
    const surplus = jobs.beyond()
    for (const reader of surplus) jobs.remove(reader)
    options.onSurplus(surplus)

    for (const { readings, looksAt, end } of carriers) {
      readings.join()
      if (looksAt?.every((job) => readings.active(job).length === 0)) end()
    }
    for (const reader of jobs.all()) if (reader.behind && !reader.paused) looks.catchUp(reader)
    const jobsWanted = wanted()
    if (jobsWanted.length === 0) return letGo()
    loop.start()
    looks.lookOn(jobsWanted)
    for (const carrier of [...(loop.round()?.contenders ?? [])]) adjust(carrier, jobsWanted)
  }

  function letGo(): void {
    looks.forget()
    void macrotask().then(() => {
      if (wanted().length === 0) loop.release()
    })
  }

  /** A job that was not to be had is asked for again. */
  function onDue(job: string): void {
    if (!loop.isAway()) return looks.look([job])
    jobs.free(job)
    changed()
  }

  /** Has a link read what is wanted: in place where its transport can. */
  function adjust(carrier: Carrier, jobsWanted: readonly string[]): void {
    const { readings, update, provedAt } = carrier
    if (provedAt) loop.onSettled(carrier, readings.serves(jobsWanted))
    if (!readings.differs(jobsWanted)) return
    if (update) update(readings.ask(jobsWanted))
    else if (provedAt) loop.onStale(readings.jobs().some((job) => !jobsWanted.includes(job) && jobs.readers(job).some(({ behind }) => behind)))
  }

  return {
    jobs,
    wanted,
    renew(given) {
      credentials = given
    },
    ...looks,
    open,
    changed
  }
}
