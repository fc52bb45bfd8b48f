import type { JobEvent } from 'jobtail'

/** The differences between the events that were received and the server's record. */
export interface Proof {
  /** How many recorded events were never received. */
  readonly lost: number
  /** How many events were received again. */
  readonly repeated: number
  /** How many events were received right after one with a higher number. */
  readonly outOfOrder: number
  /** How many received events differ from the record in number, type or data, or are not in it. */
  readonly altered: number
}

/** Compares the received events with the server's record, which is read without passing the faults of the proxy. */
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
