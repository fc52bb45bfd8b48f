/** Keeps the links in line with what the readers want, and the readers in line with what they can hold. */

import { macrotask } from '../async/clock.ts'
import { isControl } from '../protocol/frames.ts'
import { runLink } from '../strategy/link.ts'
import type { OpenRequest, Transport } from '../types.ts'
import { createDelivery } from './deliver.ts'
import { createJobs, type Jobs } from './jobs.ts'
import { createLooks, type Looks } from './looks.ts'
import type { Carrier, Loop } from './loop.ts'
import type { Reader } from './reader.ts'
import { createReadings, type Readings } from './readings.ts'

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

export interface Traffic extends Pick<Looks, 'begin' | 'endLooks'> {
  readonly jobs: Jobs
  wanted(): string[]
  /** Opens a link for what is wanted. */
  open(transport: Transport): Carrier
  /** To be called whenever the readers, or what they can hold, have changed. */
  changed(): void
}

export function createTraffic(options: TrafficOptions, loop: Loop): Traffic {
  const jobs = createJobs(options.capacity, onDue)
  /** All that is open. */
  const carriers = new Set<Carrier>()
  let isSettling = false

  const { wanted } = jobs
  const looks = createLooks(options.firstLook, jobs, loop, (at, active) => open(options.look, at, active))
  const deliver = createDelivery(options, loop, jobs, looks.isBeside)

  function open(transport: Transport, looksAt?: readonly string[], active: Readings['active'] = jobs.active): Carrier {
    const { request, probeTimeoutMs } = options
    const credentials = loop.credentials()
    const readings = createReadings(active)
    const link = runLink({
      transport: transport.name,
      open: (signal) =>
        transport.open({
          ...request,
          ...credentials,
          headers: new Headers(credentials.headers),
          jobs: readings.ask(looksAt ?? wanted()),
          windowBytes: 2 ** 24,
          isFresh: false,
          signal
        }),
      probeTimeoutMs,
      onProved() {
        if (!looksAt) loop.onProved(carrier)
      },
      onSuspect(silentMs) {
        if (loop.round()?.live === carrier) void looks.lookBeside(carrier, silentMs)
      },
      onFrame(frame) {
        if (isControl(frame)) changed()
        deliver(frame, carrier)
      },
      isFull: () => overfull().length > 0,
      onFull: relieve
    })
    const carrier: Carrier = Object.assign(link, { readings, credentials, looksAt })
    carriers.add(carrier)
    carrier.ended.then((error) => {
      carriers.delete(carrier)
      if (!looksAt) loop.onOver(carrier, error)
      changed()
    })
    return carrier
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
    ...looks,
    open,
    changed
  }
}
