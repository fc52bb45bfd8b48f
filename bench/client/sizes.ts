/** The download size of each contestant, measured like test/package/size.ts. */

import { budgets, bytesOf } from '../../test/package/size.ts'
import type { Table } from './tables.ts'

/** The imports that a user of each needs. */
const peers: Readonly<Record<string, string>> = {
  'eventsource-parser, for a bare fetch stream': "export { createParser } from 'eventsource-parser'",
  'fetch-event-source': "export { fetchEventSource } from '@microsoft/fetch-event-source'",
  'socket.io-client': "export { io } from 'socket.io-client'"
}

export async function sizes(): Promise<Table> {
  const others = Object.entries(peers).map(([what, code]) => ({ what, of: { code }, maxBytes: Number.POSITIVE_INFINITY }))
  const lines: string[][] = []
  for (const measured of [...budgets.map((budget) => ({ ...budget, what: `jobtail: ${budget.what}` })), ...others])
    lines.push([measured.what, ((await bytesOf(measured)) / 1000).toFixed(1)])
  return [['', 'kB'], ...lines]
}
