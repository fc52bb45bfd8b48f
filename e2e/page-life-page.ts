/**
 * The page of the page-life tests. It follows `?jobs=a,b` from the start, by `?transports=sse` only.
 * It keeps what it has received over a reload, so that one record shows whether anything was lost.
 */

import { type ConnectionPhase, createClient, type Diagnostic, type JobEvent, longPoll, type Subscription, shortPoll, sse, webSocket } from 'jobtail'

declare global {
  interface Window {
    life: {
      /** A random id of this load of the page. */
      readonly born: string
      /** For each `pageshow`: whether the page came from the back/forward cache (`persisted`). */
      readonly shows: readonly boolean[]
      /** The page's lifecycle events, in ms since 1970. */
      readonly passed: readonly { type: string; at: number }[]
      readonly diagnostics: readonly Diagnostic[]
      /** The phases of each job's connection, in order. */
      readonly phases: Readonly<Record<string, readonly ConnectionPhase[]>>
      readonly events: Readonly<Record<string, readonly JobEvent[]>>
      /** The jobs whose loop has ended, and how. */
      readonly ended: Readonly<Record<string, string>>
      follow(job: string): void
      leave(job: string): void
      /** Why the page was not restored from the cache, if the browser says. */
      reasons(): unknown
    }
  }
}

const KEY = 'kept'
const wishes = new URLSearchParams(location.search)
const list = (name: string): string[] | undefined => wishes.get(name)?.split(',')

const shows: boolean[] = []
const passed: { type: string; at: number }[] = []
const diagnostics: Diagnostic[] = []
const phases: Record<string, ConnectionPhase[]> = {}
const ended: Record<string, string> = {}
const events: Record<string, JobEvent[]> = JSON.parse(sessionStorage.getItem(KEY) ?? '{}')
const subscriptions: Record<string, Subscription> = {}

const client = createClient({
  transports: [webSocket(), sse(), longPoll(), shortPoll()].filter(({ name }) => list('transports')?.includes(name) ?? true),
  onDiagnostic: (diagnostic) => diagnostics.push(diagnostic)
})

async function read(job: string, subscription: Subscription, had: JobEvent[]): Promise<void> {
  try {
    for await (const event of subscription) had.push(event)
    ended[job] = subscription.state.status
  } catch (error) {
    ended[job] = String(error)
  }
}

function follow(job: string): void {
  const had = events[job] ?? []
  const subscription = client.subscribe(job, { after: had.at(-1)?.id })
  const seen: ConnectionPhase[] = []
  subscription.onChange(() => {
    const { phase } = subscription.state.connection
    if (seen.at(-1) !== phase) seen.push(phase)
  })
  events[job] = had
  phases[job] = seen
  subscriptions[job] = subscription
  void read(job, subscription, had)
}

const pass = (type: string): void => void passed.push({ type, at: performance.timeOrigin + performance.now() })
for (const type of ['pagehide', 'pageshow', 'online', 'offline']) addEventListener(type, () => pass(type))
for (const type of ['freeze', 'resume']) document.addEventListener(type, () => pass(type))
document.addEventListener('visibilitychange', () => pass(document.visibilityState))
addEventListener('pageshow', ({ persisted }) => shows.push(persisted))
addEventListener('pagehide', () => sessionStorage.setItem(KEY, JSON.stringify(events)))

window.life = {
  born: `${performance.timeOrigin} ${Math.random()}`,
  shows,
  passed,
  diagnostics,
  phases,
  events,
  ended,
  follow,
  leave: (job) => subscriptions[job]?.close(),
  // TypeScript has no type for `notRestoredReasons` yet (HTML §7.4.6.6).
  reasons: () => (performance.getEntriesByType('navigation')[0] as { notRestoredReasons?: unknown } | undefined)?.notRestoredReasons ?? null
}

for (const job of list('jobs') ?? []) follow(job)
