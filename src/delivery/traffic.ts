/** Keeps the links in line with what the readers want, and the readers in line with what they can hold. */

import { macrotask } from '../async/clock.ts'
import type { Credentials } from '../credentials.ts'
import type { JobtailError } from '../errors.ts'
import { isControl } from '../protocol/frames.ts'
import type { Round } from '../strategy/round.ts'
import type { DiagnosticDetail, OpenRequest, Transport } from '../types.ts'
import { type Carrier, type CarrierOptions, createCarrier } from './carrier.ts'
import { createJobs, type Jobs } from './jobs.ts'
import type { Reader } from './reader.ts'
import type { Wants } from './readings.ts'
import { createRefusals } from './refusals.ts'

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
  /** The token and headers of the last connect. */
  credentials(): Promise<Credentials>
  /** Something is wanted, and nothing runs. */
  start(): void
  /** Nothing is wanted any more, for a task now. */
  release(): void
  /** What was asked for can be read. */
  onSubscribed(): void
  onUnauthorized(error: JobtailError): void
  onBusy(atLeastMs: number, carrier: Carrier): boolean
  /** A link can't change what it reads to what is wanted now. */
  onStale(): void
  /** All that is wanted is read by this one. */
  onServes(carrier: Carrier): void
  emit(detail: DiagnosticDetail): void
}

export interface Traffic {
  readonly jobs: Jobs
  wants(): Wants
  /** Opens a link for what is wanted. */
  carry(transport: Transport, credentials: Credentials, over: CarrierOptions['onOver'], onProved: CarrierOptions['onProved']): Carrier
  /** From now on, until `endLooks`, what is wanted while no link is live is asked for by JSON as well: once, unless this is `anew`. */
  startLooks(credentials: Credentials, anew: boolean): void
  endLooks(): void
  /** The readers, or what they can hold, have changed. */
  changed(): void
}

export function createTraffic(options: TrafficOptions, loop: Loop): Traffic {
  const { look, request, probeTimeoutMs, unknownJobGraceMs } = options
  const jobs = createJobs()
  /** All that is open. */
  const carriers = new Set<Carrier>()
  const looks = new Map<Carrier, readonly string[]>()
  const looked = new Set<string>()
  let looking: Credentials | undefined
  let refs = 0
  let settling = false

  const wants = (): Wants => jobs.wants(options.capacity() ?? 1)
  const unpaused = (job: string): Reader[] => jobs.readers(job).filter(({ paused }) => !paused)

  function create(transport: Transport, credentials: Credentials, wanted: () => Wants, rest: Pick<CarrierOptions, 'onOver' | 'onProved'>): Carrier {
    const carrier = createCarrier({
      ...rest,
      onOver(over, ending) {
        carriers.delete(over)
        rest.onOver(over, ending)
      },
      transport,
      request: { ...request, ...credentials },
      probeTimeoutMs,
      nextRef: () => ++refs,
      wants: wanted,
      onHello: options.onHello,
      onSubscribed(job) {
        loop.onSubscribed()
        jobs.free(job)
      },
      onEnded(job, status) {
        if (wants().has(job)) loop.emit({ type: 'ended', job, status })
      },
      onError: refuse,
      onDelivered(frames) {
        if (frames.some(isControl)) settleSoon()
        return relieve()
      }
    })
    carriers.add(carrier)
    return carrier
  }

  // ---- looks

  function lookAt(ids: readonly string[], credentials: Credentials): void {
    const wanted = (): Wants => new Map(ids.map((job) => [job, unpaused(job)]))
    const carrier = create(look, credentials, wanted, {
      onProved() {},
      onOver() {
        looks.delete(carrier)
        // Neither held again nor answered: that path has failed, so the job goes back to the others.
        for (const job of ids) jobs.free(job, true)
        settleSoon()
      }
    })
    looks.set(carrier, ids)
  }

  /** What has become wanted since the looks were started. */
  function lookOn(wanted: Wants): void {
    if (!looking || loop.round()?.live) return
    const fresh = [...wanted.keys()].filter((job) => !looked.has(job))
    for (const job of fresh) looked.add(job)
    if (fresh.length > 0) lookAt(fresh, looking)
  }

  async function lookAgain(job: string): Promise<void> {
    try {
      lookAt([job], await loop.credentials())
    } catch {
      jobs.free(job) // no token to be had: that is the loop's to deal with
      settleSoon()
    }
  }

  const refuse = createRefusals({
    jobs,
    unknownJobGraceMs,
    lookAt: (job) => void lookAgain(job),
    onUnauthorized: loop.onUnauthorized,
    onBusy: loop.onBusy
  })

  // ---- slow readers

  /** A reader that can't hold more gets one task to take what it has; then its job's reading is let go. */
  function relieve(): Promise<void> | undefined {
    if (!jobs.readers().some(({ full, paused }) => full && !paused)) return undefined
    return macrotask().then(() => {
      for (const reader of jobs.readers()) {
        if (!reader.full || reader.paused) continue
        reader.paused = true
        loop.emit({ type: 'paused' })
        changed()
      }
    })
  }

  // ---- what is wanted

  function changed(): void {
    jobs.changed()
    settleSoon()
  }

  function settleSoon(): void {
    if (settling) return
    settling = true
    queueMicrotask(settle)
  }

  function settle(): void {
    settling = false
    const surplus = jobs.beyond(options.capacity() ?? Infinity)
    for (const reader of surplus) jobs.remove(reader)
    if (surplus.length > 0) options.onSurplus(surplus)

    const wanted = wants()
    for (const { readings } of carriers) readings.join(wanted)
    for (const [{ link }, ids] of looks) if (ids.every((job) => unpaused(job).length === 0)) link.end()
    if (wanted.size === 0) return void macrotask().then(letGo)
    loop.start()
    lookOn(wanted)
    for (const carrier of [...(loop.round()?.contenders ?? [])]) adjust(carrier, wanted)
  }

  function letGo(): void {
    if (wants().size === 0) loop.release()
  }

  /** Has a link read what is wanted: in place where its transport can. */
  function adjust(carrier: Carrier, wanted: Wants): void {
    const { link, readings } = carrier
    const isProved = link.provedAt !== undefined
    if (isProved && readings.serves(wanted)) loop.onServes(carrier)
    if (!readings.differs(wanted)) return
    if (link.update) link.update(readings.ask(wanted))
    else if (isProved) loop.onStale()
  }

  return {
    jobs,
    wants,
    carry: (transport, credentials, onOver, onProved) => create(transport, credentials, wants, { onOver, onProved }),
    startLooks(credentials, anew) {
      if (!options.firstLook) return
      if (anew) looked.clear()
      looking = credentials
      lookOn(wants())
    },
    endLooks() {
      looking = undefined
      for (const { link } of looks.keys()) link.end()
    },
    changed
  }
}
