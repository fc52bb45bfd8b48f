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
    file: 'delivery/readings.ts',
    find: 'const accepted = accept(before, place, origin)',
    replace: 'const accepted: ReturnType<typeof accept> = { position: { ...place, left: [] } }'
  },
  {
    name: 'what was had is delivered again',
    foundBy: ['exactly once'],
    file: 'delivery/readings.ts',
    find: 'if (position.epoch !== at.epoch || position.seq !== at.seq) continue',
    replace: ''
  },
  {
    name: 'epochs are taken for one',
    foundBy: ['gap', 'exactly once'],
    file: 'policy/position.ts',
    find: 'if (epoch === told.epoch) {',
    replace: 'if (epoch) {'
  },
  {
    name: 'an epoch that was left is taken back',
    foundBy: ['start', 'gap'],
    file: 'policy/position.ts',
    find: 'if (left.includes(told.epoch) || !asksFor(position, asked)) return undefined',
    replace: ''
  },
  { name: 'a gap is not told', foundBy: ['gap'], file: 'delivery/readings.ts', find: 'if (accepted.gap) reader.gap(accepted.gap, before)', replace: '' },
  {
    name: 'the tail is asked for again',
    foundBy: ['gap'],
    file: 'policy/position.ts',
    find: 'const position = { ...told, left: [] }',
    replace: 'const position = { ...told, cursor: cursor ?? told.cursor, left: [] }'
  },
  {
    name: 'the end of a body is taken for that of the job',
    foundBy: ['end', 'error'],
    file: 'delivery/traffic.ts',
    find: '      carriers.delete(carrier)\n',
    replace:
      "      carriers.delete(carrier)\n      if (error?.reason === 'cut') for (const job of wanted()) for (const reader of jobs.active(job)) reader.done()\n"
  },
  { name: 'taken over at hello', foundBy: ['takeover'], file: 'connection.ts', find: 'round?.offer(carrier, false)', replace: 'round?.offer(carrier, true)' },
  {
    name: 'the link before is not ended at a takeover',
    foundBy: ['takeover', 'connections'],
    file: 'strategy/round.ts',
    find: 'if (other !== contender && isNoBetter(other.transport)) other.end()',
    replace: 'void other'
  },
  {
    name: 'backoff begins anew at each opening',
    foundBy: ['backoff'],
    file: 'policy/next.ts',
    find: 'failures: useful || events > 0 ? 0 : history.failures + 1',
    replace: 'failures: 0'
  },
  {
    name: 'Retry-After is ignored',
    foundBy: ['Retry-After'],
    file: 'policy/next.ts',
    find: 'ms: last.atLeastMs + Math.max(ms, random() * last.atLeastMs)',
    replace: 'ms'
  },
  {
    name: 'a 401 is tried again for ever',
    foundBy: ['progress'],
    file: 'strategy/tokens.ts',
    find: 'if (reauthorized || !options.canReauthorize) return undefined',
    replace: ''
  },
  {
    name: 'the job of a paused reader is read on',
    foundBy: ['backpressure'],
    file: 'delivery/traffic.ts',
    find: 'reader.paused = reader.behind = true',
    replace: 'reader.paused = false'
  },
  {
    name: 'a timer is not cleared',
    foundBy: ['leaks'],
    file: 'strategy/silence.ts',
    find: 'onAbort(controller.signal, () => clearTimeout(timer))',
    replace: ''
  },
  { name: 'a signal is listened to for ever', foundBy: ['leaks'], file: 'subscription.ts', find: 'release?.()', replace: 'void release' },
  { name: 'silence is never noticed', foundBy: ['silence'], file: 'policy/rhythm.ts', find: 'heartbeatMs * DEAD_BEATS', replace: 'heartbeatMs * 1e6' },
  {
    name: 'a chunk is decoded by itself',
    foundBy: ['exactly once'],
    file: 'transports/http.ts',
    find: 'MAX_PIECE_BYTES), { stream: true })',
    replace: 'MAX_PIECE_BYTES))'
  },
  { name: 'a socket is left open', foundBy: ['leaks'], file: 'transports/websocket.ts', find: '      socket.close(1000)\n', replace: '' }
]

/** From now on the client that is imported makes it. */
export function make(name: string): Mistake {
  const mistake = mistakes.find((each) => each.name === name)
  if (!mistake) throw new Error(`there is no mistake "${name}"`)
  const path = fileURLToPath(new URL(`../../src/${mistake.file}`, import.meta.url))
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context)
      if (!url.startsWith('file:') || fileURLToPath(url) !== path) return loaded
      const source = String(loaded.source instanceof Uint8Array ? new TextDecoder().decode(loaded.source) : loaded.source)
      const parts = source.split(mistake.find)
      if (parts.length !== 2) throw new Error(`"${name}": its text is ${parts.length - 1} times in ${mistake.file}, not once`)
      return { ...loaded, source: parts.join(mistake.replace) }
    }
  })
  return mistake
}
