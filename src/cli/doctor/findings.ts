/** What the record of all readings says together. Pure. */

import { ADVICE, directivesFor } from './advice.ts'
import { type Between, betweenOf, softwareOf } from './between.ts'
import { type FindingId, judge, type Verdict } from './judge.ts'
import type { Head, Observation, ReadingName, Watch } from './observation.ts'

export interface Finding {
  id: FindingId
  readings: ReadingName[]
  /** What was seen, for each of these readings. */
  seen: string[]
  /** What it means for whoever follows a job. */
  means: string
  /** What has to be changed, and how in the programs that are known. */
  change: string
  directives: string[]
}

export interface Diagnosis {
  verdicts: Verdict[]
  between: Between[]
  findings: Finding[]
}

export function diagnose(watch: Watch): Diagnosis {
  const verdicts = watch.observations.map((observation) => judge(observation, watch))
  const between = betweenOf(watch.observations)
  const software = softwareOf(between)
  const found = new Map<FindingId, Pick<Finding, 'readings' | 'seen'>>()
  const add = (id: FindingId, reading: ReadingName, seen: string): void => {
    const finding = found.get(id) ?? { readings: [], seen: [] }
    finding.readings.push(reading)
    finding.seen.push(`${reading}: ${seen}`)
    found.set(id, finding)
  }
  for (const { id, reading, seen } of verdicts) if (id) add(id, reading, seen)
  for (const observation of watch.observations) for (const [id, seen] of changesOf(observation)) add(id, observation.reading, seen)
  const findings = [...found].map(([id, { readings, seen }]) => ({
    id,
    readings,
    seen,
    means: [ADVICE[id].means, ...(isBlocking(id) ? [insteadOf(verdicts)] : [])].join(' '),
    change: ADVICE[id].change,
    directives: directivesFor(id, software)
  }))
  return { verdicts, between, findings }
}

const isBlocking = (id: FindingId): boolean => !['compressed', 'cached', 'http-version', 'headers'].includes(id)

function insteadOf(verdicts: readonly Verdict[]): string {
  const best = verdicts.find(({ outcome, reading }) => outcome === 'passes' && reading !== 'ndjson')
  const lines = verdicts.some(({ outcome, reading }) => outcome === 'passes' && reading === 'ndjson')
  const own = lines && best?.reading !== 'websocket' && best?.reading !== 'sse' ? ' The transport ndjson() would get through.' : ''
  return (best ? `Jobtail carries jobs by ${best.reading} here, and nothing is lost.` : 'No reading gets through: jobs cannot be followed here.') + own
}

/** What was changed in an answer on its way. */
function changesOf({ head, reading }: Observation): [FindingId, string][] {
  if (!head || (head.status !== 200 && head.status !== 101)) return []
  const { headers, httpVersion } = head
  const isStream = reading === 'sse' || reading === 'ndjson'
  const changes: [FindingId, string][] = []
  if (isStream && headers['content-encoding']) changes.push(['compressed', `Content-Encoding: ${headers['content-encoding']}`])
  if (headers.age !== undefined || /\bhit\b/i.test(headers['x-cache'] ?? '')) changes.push(['cached', cacheOf(head)])
  if (httpVersion === '1.0') changes.push(['http-version', 'HTTP/1.0'])
  if (reading !== 'websocket' && !/\bno-store\b/i.test(headers['cache-control'] ?? ''))
    changes.push(['headers', `Cache-Control: ${headers['cache-control'] ?? 'none'}, in place of private, no-store`])
  return changes
}

const cacheOf = ({ headers }: Head): string =>
  [headers.age !== undefined && `Age: ${headers.age}`, headers['x-cache'] && `X-Cache: ${headers['x-cache']}`].filter(Boolean).join(', ')
