import type { JobEvent } from 'jobtail'

/** Holds what was received against the server's own log, event by event, and says in words what came out. */
export async function compareWithServer(jobId: string, received: readonly JobEvent[]): Promise<string> {
  const response = await fetch(`/_log/${encodeURIComponent(jobId)}`, { cache: 'no-store' })
  const log = (await response.json()) as JobEvent[] // as: our own server's
  const wrong = log.findIndex((event, index) => !isSame(event, received[index]))
  if (wrong >= 0) return `differs from the server's log at event ${wrong + 1}`
  if (received.length !== log.length) return `${received.length - log.length} more than in the server's log`
  return "each exactly once, the same as in the server's own log ✓"
}

const isSame = (a: JobEvent, b: JobEvent | undefined): boolean =>
  a.id === b?.id && a.seq === b.seq && a.type === b.type && JSON.stringify(a.data) === JSON.stringify(b.data)
