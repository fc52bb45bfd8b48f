/** Followers of jobs in their own process; the parent sends the orders. Each is like a page: its own client, connection and transport. */

import { createClient } from '../../src/core.ts'
import { longPoll, shortPoll } from '../../src/transports/poll.ts'
import { sse } from '../../src/transports/sse.ts'
import { webSocket } from '../../src/transports/websocket.ts'
import { type Followed, hashOf, type TransportName } from './verdict.ts'

const makers = { websocket: webSocket, sse, 'long-poll': longPoll, 'short-poll': shortPoll }

export interface Asked {
  url: string
  followers: readonly { job: string; transport: TransportName }[]
}

/** How many followers connect at the same time. */
const AT_ONCE = 50

console.warn = () => {} // each client warns once when no transport delivers
const all: Followed[] = []

/** Resolves when the first event has been received. */
async function follow(url: string, job: string, transport: TransportName): Promise<void> {
  const first = Promise.withResolvers<void>()
  const followed: Followed = { job, transport, had: [], over: undefined, breaks: {} }
  all.push(followed)
  const client = createClient({
    url,
    transports: [makers[transport]()],
    onDiagnostic(said) {
      if (said.type === 'lost') followed.breaks[said.reason] = (followed.breaks[said.reason] ?? 0) + 1
    }
  })
  async function read(): Promise<void> {
    for await (const { id, type, data } of client.subscribe<{ [type: string]: { at: number } }>(job)) {
      const at = Date.now()
      if (type === 'gap') followed.had.push({ gap: true, at })
      else followed.had.push({ id, hash: hashOf(type, data), at, lateMs: at - data.at })
      first.resolve()
    }
  }
  void read().then(
    () => end('ended'),
    (error) => end(String(error))
  )
  function end(over: string): void {
    followed.over = over
    first.resolve()
    client.close()
    if (all.every((each) => each.over !== undefined)) process.send?.({ over: true })
  }
  await first.promise
}

process.on('message', async (told: Asked | { report: true }) => {
  if ('report' in told) return process.send?.({ followed: all })
  const { url, followers } = told
  for (let from = 0; from < followers.length; from += AT_ONCE)
    await Promise.all(followers.slice(from, from + AT_ONCE).map(({ job, transport }) => follow(url, job, transport)))
  process.send?.({ opened: true })
})
process.on('disconnect', () => process.exit())
