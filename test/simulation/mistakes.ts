/** Deliberate mistakes in the client. The simulation proves something only if it finds each of them. */

import { registerHooks } from 'node:module'
import { fileURLToPath } from 'node:url'
import type { Check } from './wrong.ts'

export interface Mistake {
  name: string
  /** The checks that must find the mistake. What other checks find doesn't count. */
  foundBy: readonly Check[]
  /** The file, relative to `src/`. */
  file: string
  /** The text to replace. The file contains it exactly once. */
  find: string
  replace: string
  /**
   * The seed of the schedules that find it.
   * @defaultValue the test's first one
   */
  seed?: number
}

export const mistakes: readonly Mistake[] = [
  {
    name: 'a control frame moves the cursor',
    foundBy: ['gap', 'exactly once'],
    file: 'delivery/link-jobs.ts',
    find: 'const accepted = accept(before, place, origin)',
    replace: 'const accepted: ReturnType<typeof accept> = { position: { ...place, left: [] } }'
  },
  {
    name: 'an event is delivered again',
    foundBy: ['exactly once'],
    file: 'delivery/link-jobs.ts',
    find: 'if (position.epoch !== at.epoch || position.seq !== before) continue',
    replace: ''
  },
  {
    name: 'two epochs count as one',
    foundBy: ['gap', 'exactly once'],
    file: 'policy/position.ts',
    find: 'if (epoch === start.epoch) {',
    replace: 'if (epoch) {'
  },
  {
    name: 'a reader returns to an earlier epoch',
    foundBy: ['start', 'gap'],
    file: 'policy/position.ts',
    find: 'if (left.includes(start.epoch) || !covers(position, origin)) return undefined',
    replace: ''
  },
  { name: 'a gap is not reported', foundBy: ['gap'], file: 'delivery/link-jobs.ts', find: 'if (accepted.gap) reader.gap(accepted.gap, before)', replace: '' },
  {
    name: 'a reconnect requests the tail again',
    foundBy: ['gap'],
    file: 'policy/position.ts',
    find: 'const position = { ...start, left: [] }',
    replace: 'const position = { ...start, cursor: cursor ?? start.cursor, left: [] }'
  },
  {
    name: 'the end of a body ends the job',
    foundBy: ['end', 'error'],
    file: 'connection/endings.ts',
    find: 'const problem = { transport: name, reason, status, message }',
    replace:
      "const problem = { transport: name, reason, status, message }\n  if (reason === 'cut') for (const job of jobs.jobs()) for (const reader of core.table.active(job)) reader.fail(new Error(message))"
  },
  {
    name: 'a link takes over at its hello',
    foundBy: ['takeover'],
    file: 'connection/live-link.ts',
    find: 'if (isProved && jobs.coversAll(wanted)) {',
    replace: 'if (isProved) {'
  },
  {
    name: 'a replaced link stays open',
    foundBy: ['takeover', 'connections'],
    file: 'connection/live-link.ts',
    find: 'if (replaced) dropLink(core, replaced)',
    replace: ''
  },
  {
    name: 'each connection resets the backoff',
    foundBy: ['backoff'],
    file: 'policy/race.ts',
    find: 'const failures = isUseful || events > 0 ? 0 : race.failures + 1',
    replace: 'const failures = events * 0'
  },
  {
    name: 'Retry-After is ignored',
    foundBy: ['Retry-After'],
    file: 'policy/race.ts',
    find: 'atLeastMs + Math.max(backoffMs(race.failures, retry, random), random() * atLeastMs)',
    replace: 'backoffMs(race.failures, retry, random)'
  },
  {
    name: 'a 401 is retried for ever',
    foundBy: ['progress'],
    file: 'auth.ts',
    find: 'if (asked.has(byServer) || !canReauthorize) return undefined',
    replace: ''
  },
  {
    name: 'the job of a full reader is read on',
    foundBy: ['backpressure'],
    file: 'connection/link-events.ts',
    find: "reader.setMode('paused')",
    replace: ''
  },
  {
    name: 'a timer is not cleared',
    foundBy: ['leaks'],
    file: 'link/liveness.ts',
    find: 'stop: () => timer.set(Infinity)',
    replace: 'stop: () => {}'
  },
  { name: 'a listener of a signal stays', foundBy: ['leaks'], file: 'subscription.ts', find: 'release?.()', replace: 'void release' },
  { name: 'silence is never noticed', foundBy: ['silence'], file: 'policy/liveness.ts', find: '* DEAD_BEATS', replace: '* 1e6' },
  {
    name: 'a character in two chunks is broken',
    foundBy: ['exactly once'],
    file: 'transports/http.ts',
    find: 'MAX_PIECE_BYTES), { stream: true })',
    replace: 'MAX_PIECE_BYTES))'
  },
  {
    name: 'a long delay overflows a timer',
    foundBy: ['timers'],
    file: 'async/bounds.ts',
    find: 'Math.min(MAX_TIMER_MS, Math.max(0, ms || 0))',
    replace: 'Math.max(0, ms || 0)'
  },
  {
    name: 'a repeated event counts as a protocol error',
    foundBy: ['protocol'],
    file: 'delivery/link-jobs.ts',
    find: 'if (!at || seq <= at.seq) return',
    replace: 'if (!at) return'
  },
  {
    name: 'the probe timeout never grows',
    foundBy: ['progress'],
    file: 'policy/backoff.ts',
    find: 'probeTimeoutMs * 2 ** failures',
    replace: 'probeTimeoutMs'
  },
  {
    name: 'a used-up window counts as a lost connection',
    foundBy: ['window'],
    file: 'policy/race.ts',
    find: 'livedMs >= USEFUL_LIFE_MS || (byeMs === 0 && events > 0)',
    replace: 'livedMs >= USEFUL_LIFE_MS'
  },
  {
    name: 'the window of a WebSocket is never renewed',
    foundBy: ['window'],
    file: 'transports/websocket.ts',
    find: "send({ op: 'window', bytes: windowBytes })",
    replace: ''
  },
  {
    name: 'a 404 of an intermediary ends a job that was just live',
    foundBy: ['error'],
    file: 'policy/race.ts',
    find: 'race.liveAt !== undefined && now - race.liveAt < DEPLOY_MS',
    replace: 'now < 0'
  },
  {
    name: 'the Retry-After of an intermediary is ignored',
    foundBy: ['Retry-After'],
    file: 'connection/refusals.ts',
    find: 'retryAfterMs !== undefined || status === 429',
    replace: 'status === 0'
  },
  {
    name: 'a 204 of an intermediary ends the job',
    foundBy: ['end'],
    file: 'job-reader.ts',
    find: 'if ((cursor === TAIL || cursor === snapshot.cursor) && taker.learn(snapshot)) return',
    replace: 'if (taker.learn(snapshot)) return\n        return taker.fail(undefined)'
  },
  {
    name: 'an intermediary that drops the cursor causes a gap',
    foundBy: ['exactly once', 'error', 'gap', 'start'],
    file: 'delivery/link-jobs.ts',
    find: 'if (isOther && ref === undefined && (isAnswer || isPolled) && !isFresh) {',
    replace: 'if (seq < 0) {'
  },
  {
    name: 'a repeated request may be answered by a cache',
    foundBy: ['progress', 'connections'],
    file: 'connection/core.ts',
    find: 'jobLink.isFresh = isRepeated || now() < core.freshUntil',
    replace: 'jobLink.isFresh = isRepeated && now() < 0',
    seed: 7_345_902 // the first seed finds it by a schedule in which a client asks on for a minute of processor time
  },
  { name: 'a WebSocket is left open', foundBy: ['leaks'], file: 'transports/websocket.ts', find: '.close(1000)', replace: '.readyState' }
]

/** Makes the client that is imported afterwards make this mistake. */
export function make(name: string): Mistake & { isMade(): boolean } {
  const mistake = mistakes.find((each) => each.name === name)
  if (!mistake) throw new Error(`there is no mistake "${name}"`)
  let isMade = false
  const path = fileURLToPath(new URL(`../../src/${mistake.file}`, import.meta.url))
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context)
      if (!url.startsWith('file:') || fileURLToPath(url) !== path) return loaded
      const source = String(loaded.source instanceof Uint8Array ? new TextDecoder().decode(loaded.source) : loaded.source)
      const parts = source.split(mistake.find)
      if (parts.length !== 2) throw new Error(`"${name}": its text is ${parts.length - 1} times in ${mistake.file}, not once`)
      isMade = true
      return { ...loaded, source: parts.join(mistake.replace) }
    }
  })
  return { ...mistake, isMade: () => isMade }
}
