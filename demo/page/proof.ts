import type { JobEvent } from 'jobtail'

/** What is wrong with what was received, against what the server has. */
export interface Proof {
  /** Events of the server's that never came. */
  readonly lost: number
  /** Events that came more than once, counted each further time. */
  readonly repeated: number
  /** Events that came after one that is behind them. */
  readonly outOfOrder: number
  /** Events whose number, type or data is another one than the server's, or that the server doesn't have. */
  readonly altered: number
}

/** Compares what was received with the server's own record, which is read without the proxy. */
export async function compareWithServer(jobId: string, received: readonly JobEvent[]): Promise<Proof> {
  const response = await fetch(`/_log/${encodeURIComponent(jobId)}`, { cache: 'no-store' })
  return compare(received, (await response.json()) as JobEvent[]) // as: our own server's
}

export function compare(received: readonly JobEvent[], log: readonly JobEvent[]): Proof {
  const recorded = new Map(log.map((event) => [event.id, event]))
  const ids = new Set(received.map(({ id }) => id))
  return {
    lost: log.filter(({ id }) => !ids.has(id)).length,
    repeated: received.length - ids.size,
    outOfOrder: received.filter(({ seq }, index) => seq < (received[index - 1]?.seq ?? 0)).length,
    altered: received.filter((event) => !isSame(event, recorded.get(event.id))).length
  }
}

export const isExact = ({ lost, repeated, outOfOrder, altered }: Proof): boolean => lost + repeated + outOfOrder + altered === 0

export const inWords = ({ lost, repeated, outOfOrder, altered }: Proof): string =>
  `${lost} lost, ${repeated} repeated, ${outOfOrder} out of order${altered > 0 ? `, ${altered} altered` : ''}`

const isSame = (a: JobEvent, b: JobEvent | undefined): boolean => a.seq === b?.seq && a.type === b.type && JSON.stringify(a.data) === JSON.stringify(b.data)
