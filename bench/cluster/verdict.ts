/** Compares what followers received with what was acknowledged to writers and with the final log. Pure functions. */

import { createHash } from 'node:crypto'

export type TransportName = 'websocket' | 'sse' | 'long-poll' | 'short-poll'
export const TRANSPORTS: readonly TransportName[] = ['websocket', 'sse', 'long-poll', 'short-poll']

export interface Entry {
  id: string
  hash: string
}

export type Had = (Entry & { at: number; lateMs: number }) | { gap: true; at: number }

/** What one follower received, in order. */
export interface Followed {
  job: string
  transport: TransportName
  had: Had[]
  /** `ended`, or the error that the loop threw; `undefined` while it goes on. */
  over: string | undefined
  /** How many connections were lost, by reason. */
  breaks: Record<string, number>
}

/** What was written to a job's log. */
export interface Written {
  job: string
  acknowledged: ReadonlyMap<string, string>
  /** The log at the end. */
  log: readonly Entry[]
}

export interface Exactness {
  delivered: number
  lost: number
  repeated: number
  outOfOrder: number
  /** Events that differ from another one with the same id. */
  altered: number
  gaps: number
  /** Changes of epoch without a gap before them. */
  unannounced: number
  ended: number
}

/** How many acknowledged events the log has kept. */
export interface Kept {
  acknowledged: number
  /** Acknowledged, but no longer in the log. */
  dropped: number
  /** Dropped, although the epoch is the same. */
  silentlyDropped: number
  /** In the log, but never acknowledged. */
  unacknowledged: number
  epochs: number
}

export const hashOf = (type: string, data: unknown): string =>
  createHash('md5')
    .update(`${type} ${JSON.stringify(data)}`)
    .digest('base64url')

function placeOf(id: string): { epoch: string; seq: number } {
  const dash = id.lastIndexOf('-')
  return { epoch: id.slice(0, dash), seq: Number(id.slice(dash + 1)) }
}

const epochOf = (log: readonly Entry[]): string => placeOf(log.at(-1)?.id ?? '').epoch

export function keptOf({ acknowledged, log }: Written): Kept {
  const epoch = epochOf(log)
  const told = [...acknowledged].map(([id, hash]) => ({ ...placeOf(id), hash }))
  const dropped = told.filter(({ seq, hash }) => log[seq - 1]?.hash !== hash)
  const hashes = new Set(acknowledged.values())
  return {
    acknowledged: acknowledged.size,
    dropped: dropped.length,
    silentlyDropped: dropped.filter((each) => each.epoch === epoch).length,
    unacknowledged: log.filter(({ hash }) => !hashes.has(hash)).length,
    epochs: new Set([epoch, ...told.map((each) => each.epoch)]).size
  }
}

/** `known`: the hash of each event by id, from the log, the writer and earlier followers. This follower's are added. */
export function exactnessOf({ had, over }: Followed, log: readonly Entry[], known: Map<string, string>): Exactness {
  const found: Exactness = { delivered: 0, lost: 0, repeated: 0, outOfOrder: 0, altered: 0, gaps: 0, unannounced: 0, ended: over === 'ended' ? 1 : 0 }
  const finalEpoch = epochOf(log)
  const seen = new Set<string>()
  let at = { epoch: '', seq: 0 }
  let mayChange = true
  for (const each of had) {
    if ('gap' in each) {
      found.gaps += 1
      mayChange = true
      continue
    }
    const { id, hash } = each
    found.delivered += 1
    if (known.has(id) && known.get(id) !== hash) found.altered += 1
    known.set(id, known.get(id) ?? hash)
    if (seen.has(id)) {
      found.repeated += 1
      continue
    }
    seen.add(id)
    const here = placeOf(id)
    if (here.epoch !== at.epoch) {
      if (!mayChange) found.unannounced += 1
      at = { epoch: here.epoch, seq: 0 }
    }
    mayChange = false
    if (here.seq < at.seq) found.outOfOrder += 1
    // In the last epoch the log shows what is missing.
    else if (here.epoch !== finalEpoch) found.lost += here.seq - at.seq - 1
    at.seq = Math.max(at.seq, here.seq)
  }
  found.lost += log.filter(({ id }) => !seen.has(id)).length
  return found
}

export interface Verdict {
  kept: Kept
  byTransport: Map<TransportName, Exactness>
  /** The errors, in words. */
  wrong: string[]
}

/** `mayLose`: Redis may have lost the last events that it had acknowledged. */
export function verdictOf(written: readonly Written[], followed: readonly Followed[], mayLose: boolean): Verdict {
  const verdict: Verdict = { kept: { acknowledged: 0, dropped: 0, silentlyDropped: 0, unacknowledged: 0, epochs: 0 }, byTransport: new Map(), wrong: [] }
  for (const { job, acknowledged, log } of written) {
    const kept = keptOf({ job, acknowledged, log })
    verdict.kept = sum(verdict.kept, kept)
    const isKept = mayLose ? kept.silentlyDropped === 0 : kept.dropped + kept.unacknowledged === 0 && kept.epochs === 1
    if (!isKept) verdict.wrong.push(`log of ${job}: ${JSON.stringify(kept)}`)

    const known = new Map([...acknowledged, ...log.map(({ id, hash }) => [id, hash] as const)])
    for (const each of followed.filter((follower) => follower.job === job)) {
      const exactness = exactnessOf(each, log, known)
      const before = verdict.byTransport.get(each.transport)
      verdict.byTransport.set(each.transport, before ? sum(before, exactness) : exactness)
      const { lost, repeated, outOfOrder, altered, unannounced, gaps, ended } = exactness
      const isExact = lost + repeated + outOfOrder + altered + unannounced === 0 && gaps === kept.epochs - 1 && ended === 1
      if (!isExact) verdict.wrong.push(`${each.transport} follower of ${job}: ${JSON.stringify(exactness)}, ${each.over ?? 'not ended'}`)
    }
  }
  return verdict
}

/** Adds the numbers with the same name. */
function sum<T extends Kept | Exactness>(a: T, b: T): T {
  const added = Object.entries(a).map(([name, value]) => [name, value + b[name as keyof T]])
  return Object.fromEntries(added) as T // as: both have only numbers
}

/** The longest pause of a follower that ended with an event between these two times. */
export function longestPauseMs(followed: Iterable<Followed>, from: number, until: number): number {
  let longest = 0
  for (const { had } of followed)
    for (const [index, { at }] of had.entries()) {
      const before = had[index - 1]?.at
      if (before !== undefined && at > from && at <= until) longest = Math.max(longest, at - before)
    }
  return longest
}
