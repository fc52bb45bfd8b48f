/** Keeps the links in line with what the readers want, and the readers in line with what they can hold; says what a frame means to them. */

import { macrotask, now } from '../async/clock.ts'
import type { Credentials } from '../credentials.ts'
import { type JobtailError, saidBy, TransportError } from '../errors.ts'
import { isOffline } from '../page.ts'
import { type Verdict, verdict } from '../policy/verdict.ts'
import { type ErrorControl, type Frame, isControl } from '../protocol/frames.ts'
import { isTerminal, TAIL } from '../protocol/rules.ts'
import { type RunningLink, runLink } from '../strategy/link.ts'
import type { Round } from '../strategy/round.ts'
import type { DiagnosticDetail, OpenRequest, Transport } from '../types.ts'
import { createJobs, type Jobs } from './jobs.ts'
import type { Reader } from './reader.ts'
import { createReadings, type Readings } from './readings.ts'

/** What a look has brought, the link it runs beside brings within so long, or it is dead. */
const CHALLENGE_MS = 250

/** Where single requests fail, links have to do for so long. */
const PAGES_AGAIN_MS = 5000

/** A link with what it reads. */
export interface Carrier extends RunningLink {
  readonly readings: Readings
  /** What it was opened with. */
  readonly credentials: Credentials
  /** A look: it reads these jobs, and no more than is known now. */
  readonly looksAt: readonly string[] | undefined
  /** It reads for this one alone, who is behind. */
  readonly behind: Reader | undefined
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

export interface Traffic {
  readonly jobs: Jobs
  wanted(): string[]
  /** From now on, until `endLooks`, what is wanted while no link is live is asked for by JSON as well, once. */
  begin(): void
  endLooks(): void
  /** The page is put away. */
  leave(): void
  /** For what is opened from now on. */
  renew(credentials: Credentials): void
  /** Opens a link for what is wanted, or a look. */
  open(transport: Transport, looksAt?: readonly string[]): Carrier
  /** To be called whenever the readers, or what they can hold, have changed. */
  changed(): void
}

export function createTraffic(options: TrafficOptions, loop: Loop): Traffic {
  const jobs = createJobs(options.capacity, onDue)
  /** All that is open. */
  const carriers = new Set<Carrier>()
  /** Since something was last wanted for the first time. */
  const looked = new Set<string>()
  let credentials: Credentials
  let isLooking = false
  /** Runs beside a suspect link. */
  let second: Carrier | undefined
  let isSettling = false
  /** When single requests brought nothing to one who was behind. */
  let pagesFailedAt = -Infinity

  const { wanted } = jobs

  function open(transport: Transport, looksAt?: readonly string[], behind?: Reader): Carrier {
    const { request, probeTimeoutMs } = options
    const own = credentials
    const readings = createReadings(behind ? () => (jobs.all().includes(behind) && !behind.paused ? [behind] : []) : jobs.active)
    const link = runLink({
      transport: transport.name,
      open: (signal) => transport.open({ ...request, ...own, headers: new Headers(own.headers), jobs: readings.ask(looksAt ?? wanted()), signal }),
      probeTimeoutMs,
      onProved() {
        if (!looksAt) loop.onProved(carrier)
      },
      onSuspect(silentMs) {
        if (loop.round()?.live === carrier) void lookBeside(carrier, silentMs)
      },
      onFrame: (frame) => deliver(frame, carrier),
      isFull: () => overfull().length > 0,
      onFull: relieve
    })
    const carrier: Carrier = Object.assign(link, { readings, credentials: own, looksAt, behind })
    carriers.add(carrier)
    carrier.ended.then((error) => {
      carriers.delete(carrier)
      // At the end of what was known, or this path has failed or been refused: in each case a link goes on.
      if (behind) {
        behind.behind = behind.paused
        if (error && !carrier.provedAt) pagesFailedAt = now()
      }
      // Neither held again nor answered: that path has failed, so the job goes back to the others.
      else if (looksAt) for (const job of looksAt) jobs.free(job, true)
      else loop.onOver(carrier, error)
      changed()
    })
    return carrier
  }

  /** What a silent link may have missed is read beside it: where something comes that the link didn't bring, it is dead. */
  async function lookBeside(carrier: Carrier, silentMs: number): Promise<void> {
    if (second || wanted().length === 0 || carrier.transport === 'short-poll') return // that looks by itself
    loop.emit({ type: 'suspected', silentMs }, carrier.transport)
    const look = open(options.look, wanted())
    second = look
    await look.ended
    second = undefined
    const isAnswered = look.provedAt !== undefined
    if (carrier.eventAt < look.startedAt && (look.events > 0 || (!isAnswered && isOffline()))) carrier.challenge(CHALLENGE_MS)
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
    if (carrier === second) return
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
    if (surplus.length > 0) options.onSurplus(surplus)

    for (const { readings, looksAt, end } of carriers) {
      readings.join()
      if (looksAt?.every((job) => readings.active(job).length === 0)) end()
    }
    for (const reader of jobs.all()) if (reader.behind && !reader.paused) catchUp(reader)
    const jobsWanted = wanted()
    if (jobsWanted.length === 0) return letGo()
    loop.start()
    lookOn(jobsWanted)
    for (const carrier of [...(loop.round()?.contenders ?? [])]) adjust(carrier, jobsWanted)
  }

  function endLooks(): void {
    isLooking = false
    for (const { looksAt, behind, end } of carriers) if (looksAt && !behind) end()
  }

  function letGo(): void {
    looked.clear()
    void macrotask().then(() => {
      if (wanted().length === 0) loop.release()
    })
  }

  /** Merely not reading a link bounds nothing; a request brings no more than one answer's worth. */
  function catchUp(reader: Reader): void {
    if (loop.isAway() || now() - pagesFailedAt < PAGES_AGAIN_MS) reader.behind = false
    else if (![...carriers].some(({ behind }) => behind === reader)) open(options.look, [reader.job], reader)
  }

  /** A job that was not to be had is asked for again. */
  function onDue(job: string): void {
    if (!loop.isAway()) return void open(options.look, [job])
    jobs.free(job)
    changed()
  }

  /** What has become wanted since the looks were started. */
  function lookOn(jobsWanted: readonly string[]): void {
    if (!isLooking || loop.round()?.live) return
    const fresh = jobsWanted.filter((job) => !looked.has(job))
    for (const job of fresh) looked.add(job)
    if (fresh.length > 0) open(options.look, fresh)
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
    begin() {
      isLooking = options.firstLook
      lookOn(wanted())
    },
    endLooks,
    leave() {
      endLooks()
      for (const { behind, end } of carriers) if (behind) end()
    },
    open,
    changed
  }
}
