import { explain } from '../explain.ts'
import type { JobRecord } from './jobs.ts'
import type { Entry, Recording } from './recording.ts'
import { placeOf } from './settings.ts'
import { clientInWords, jobInWords } from './words.ts'

/** The version in package.json. */
export const VERSION = '0.1.0'

/** A comment on GitHub takes 65,536 characters. */
const MAX_CHARACTERS = 60_000
const MAX_CHARACTERS_OF_JOBS = 20_000
const MAX_CHARACTERS_OF_DATA = 2000

/** Puts a recording into words, in Markdown: for a report of a bug. `withData` adds the jobs' progress, results and errors. */
export function reportOf({ clients, jobs, entries }: Recording, at: number, withData: boolean): string {
  const head = [
    '## Jobtail report',
    '',
    `- Jobtail ${VERSION}, ${timeOf(at)}`,
    `- Browser: ${navigator.userAgent}`,
    `- Page: ${placeOf(location.href)}, ${document.visibilityState}, ${navigator.onLine ? 'online' : 'offline'}`,
    ...clients.flatMap((client) => ['', `### Client ${client.number}`, '', fenced([clientInWords(client)])]),
    '',
    ...latest('### Jobs', jobs.all, jobs.all.length, MAX_CHARACTERS_OF_JOBS, (job) => jobLine(job, at, withData)),
    ''
  ].join('\n')
  return [head, ...latest('### What happened', entries.since(0), entries.total, MAX_CHARACTERS - head.length, lineOf), ''].join('\n')
}

/** The latest lines for which there is room. The heading says how many of the `total` are left out. */
function latest<T>(heading: string, items: readonly T[], total: number, room: number, lineOf: (item: T) => string): string[] {
  const lines: string[] = []
  let left = room - 200 // for heading and fence
  for (const item of [...items].reverse()) {
    const line = lineOf(item)
    left -= line.length + 1
    if (left < 0) break
    lines.unshift(line)
  }
  const dropped = total - lines.length
  return [`${heading}${dropped > 0 ? `, without the first ${dropped}` : ''}`, '', fenced(lines)]
}

const timeOf = (at: number): string => new Date(at).toISOString()

function lineOf({ at, client, about }: Entry): string {
  return typeof about === 'string' ? `${timeOf(at)} the application: ${about}` : `${timeOf(at)} client ${client}, race ${about.attempt}: ${explain(about)}`
}

function jobLine(job: JobRecord, at: number, withData: boolean): string {
  const { progress, result, error } = job.state
  const words = jobInWords(job, at)
  return withData ? `${words}\n  data: ${jsonOf({ progress, result, error: error?.message })}` : words
}

/** Data as JSON, cut where it is long. */
function jsonOf(data: unknown): string {
  const text = JSON.stringify(data)
  return text.length > MAX_CHARACTERS_OF_DATA ? `${text.slice(0, MAX_CHARACTERS_OF_DATA)}…` : text
}

/** A block that no line can end: without a character that Markdown knows there. */
const fenced = (lines: readonly string[]): string =>
  ['```text', ...(lines.length > 0 ? lines : ['none']).map((line) => line.replaceAll('```', "'''")), '```'].join('\n')
