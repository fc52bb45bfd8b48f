/** Deliberate mistakes in the client, each of which the simulation has to find: or it proves nothing. */

import { registerHooks } from 'node:module'
import { fileURLToPath } from 'node:url'
import type { Check } from './wrong.ts'

export interface Mistake {
  name: string
  /** The checks that are to find it; what else goes wrong because of it doesn't count. */
  foundBy: readonly Check[]
  /** Below `src/`. */
  file: string
  /** There exactly once. */
  find: string
  replace: string
}

export const mistakes: readonly Mistake[] = [
  {
    name: 'the cursor moves at a control',
    foundBy: ['gap', 'exactly once'],
    file: 'delivery/link-jobs.ts',
    find: 'const accepted = accept(before, place, origin)',
    replace: 'const accepted: ReturnType<typeof accept> = { position: { ...place, left: [] } }'
  },
  {
    name: 'what was had is delivered again',
    foundBy: ['exactly once'],
    file: 'delivery/link-jobs.ts',
    find: 'if (position.epoch !== at.epoch || position.seq !== before) continue',
    replace: ''
  },
  {
    name: 'epochs are taken for one',
    foundBy: ['gap', 'exactly once'],
    file: 'policy/position.ts',
    find: 'if (epoch === start.epoch) {',
    replace: 'if (epoch) {'
  },
  {
    name: 'an epoch that was left is taken back',
    foundBy: ['start', 'gap'],
    file: 'policy/position.ts',
    find: 'if (left.includes(start.epoch) || !covers(position, origin)) return undefined',
    replace: ''
  },
  { name: 'a gap is not told', foundBy: ['gap'], file: 'delivery/link-jobs.ts', find: 'if (accepted.gap) reader.gap(accepted.gap, before)', replace: '' },
  {
    name: 'the tail is asked for again',
    foundBy: ['gap'],
    file: 'policy/position.ts',
    find: 'const position = { ...start, left: [] }',
    replace: 'const position = { ...start, cursor: cursor ?? start.cursor, left: [] }'
  },
  {
    name: 'the end of a body is taken for that of the job',
    foundBy: ['end', 'error'],
    file: 'connection/endings.ts',
    find: 'const problem = problemOf(jobLink, error)',
    replace:
      "const problem = problemOf(jobLink, error)\n    if (reason === 'cut') for (const job of jobs.jobs()) for (const reader of table.active(job)) reader.fail(error)"
  },
  {
    name: 'taken over at hello',
    foundBy: ['takeover'],
    file: 'connection/live-link.ts',
    find: 'if (isProved && jobs.coversAll(wanted)) {',
    replace: 'if (isProved) {'
  },
  {
    name: 'the link before is not ended at a takeover',
    foundBy: ['takeover', 'connections'],
    file: 'connection/live-link.ts',
    find: 'if (replaced) core.drop(replaced)',
    replace: ''
  },
  {
    name: 'backoff begins anew at each opening',
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
    name: 'a 401 is tried again for ever',
    foundBy: ['progress'],
    file: 'auth.ts',
    find: 'if (isReauthorized || !canReauthorize) return undefined',
    replace: ''
  },
  {
    name: 'the job of a paused reader is read on',
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
  { name: 'a signal is listened to for ever', foundBy: ['leaks'], file: 'subscription.ts', find: 'release?.()', replace: 'void release' },
  { name: 'silence is never noticed', foundBy: ['silence'], file: 'policy/liveness.ts', find: '* DEAD_BEATS', replace: '* 1e6' },
  {
    name: 'a chunk is decoded by itself',
    foundBy: ['exactly once'],
    file: 'transports/http.ts',
    find: 'MAX_PIECE_BYTES), { stream: true })',
    replace: 'MAX_PIECE_BYTES))'
  },
  {
    name: 'a number overflows a timer',
    foundBy: ['timers'],
    file: 'async/bounds.ts',
    find: 'Math.min(MAX_TIMER_MS, Math.max(0, ms || 0))',
    replace: 'Math.max(0, ms || 0)'
  },
  {
    name: 'a repeat counts as a hole',
    foundBy: ['protocol'],
    file: 'delivery/link-jobs.ts',
    find: 'if (!at || seq <= at.seq) return',
    replace: 'if (!at) return'
  },
  {
    name: 'patience never grows',
    foundBy: ['progress'],
    file: 'policy/backoff.ts',
    find: 'probeTimeoutMs * 2 ** Math.min(failures, 10)',
    replace: 'probeTimeoutMs'
  },
  {
    name: 'a window that is used up is a loss',
    foundBy: ['window'],
    file: 'policy/race.ts',
    find: 'livedMs >= USEFUL_LIFE_MS || (byeMs === 0 && events > 0)',
    replace: 'livedMs >= USEFUL_LIFE_MS'
  },
  {
    name: 'the window of a socket is never opened again',
    foundBy: ['window'],
    file: 'transports/websocket.ts',
    find: "send({ op: 'window', bytes: windowBytes })",
    replace: ''
  },
  {
    name: 'a 404 from in between ends what has just been live',
    foundBy: ['error'],
    file: 'policy/race.ts',
    find: 'race.liveAt !== undefined && now - race.liveAt < DEPLOY_MS',
    replace: 'now < 0'
  },
  {
    name: 'a pause that somebody in between asks for is ignored',
    foundBy: ['Retry-After'],
    file: 'connection/refusals.ts',
    find: 'retryAfterMs !== undefined || status === 429',
    replace: 'status === 0'
  },
  {
    name: 'a stray 204 is taken for the end of the job',
    foundBy: ['end'],
    file: 'subscription.ts',
    find: 'if ((cursor === TAIL || cursor === snapshot.cursor) && learnFrom(snapshot, isLoop)) return',
    replace: 'if (learnFrom(snapshot, isLoop)) return\n          if (isLoop) return endLoop()'
  },
  {
    name: 'a cursor that was lost on the way is a gap',
    foundBy: ['exactly once', 'error', 'gap', 'start'],
    file: 'delivery/link-jobs.ts',
    find: 'if (isOther && ref === undefined && (isAnswer || isPolled) && !isFresh) {',
    replace: 'if (seq < 0) {'
  },
  {
    name: 'an old answer is asked for again out of the cache',
    foundBy: ['progress', 'connections'],
    file: 'connection/core.ts',
    find: 'jobLink.isFresh = core.isFresh || isRepeated',
    replace: 'jobLink.isFresh = core.isFresh && !isRepeated && false'
  },
  { name: 'a socket is left open', foundBy: ['leaks'], file: 'transports/websocket.ts', find: '.close(1000)', replace: '.readyState' }
]

/** From now on the client that is imported makes it. */
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
