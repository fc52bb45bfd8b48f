/** What each press of the big button does. Independent of the DOM. */

import { mended, type NetworkChange, type NetworkState } from './network.ts'

export interface Act {
  /** The button's text. */
  readonly label: string
  /** What a press will do, in plain words. */
  readonly about: string
  /** A label of a word or two for the timeline. */
  readonly word: string
  /** The sentence for the caption after the press. */
  readonly done: string
  readonly change: NetworkChange
}

// #region acts
const breakWebSocket: Act = {
  label: 'Break the connection',
  about: 'The WebSocket, the best line to the server, will stay open but deliver nothing more. Some proxies do this.',
  word: 'WebSocket mute',
  done: 'You broke the WebSocket: it is still open, but nothing comes through it.',
  change: { faults: { webSocket: 'mute' } }
}

const bufferStreams: Act = {
  label: 'Break the next one',
  about: 'Event streams, the next best way, will be held back until they end. Proxies that buffer do this.',
  word: 'streams held',
  done: 'You broke the event streams, too: the proxy holds them back until they end.',
  change: { faults: { bufferStreams: true } }
}

const takeServerAway: Act = {
  label: 'Take the server away',
  about: 'Every connection will be cut. For 4 seconds every request will get an error (502), as while a server is replaced.',
  word: 'server away',
  done: 'You took the server away: every connection is cut, and for 4 seconds nobody gets through.',
  change: { awayMs: 4000 }
}

const mendAll: Act = {
  label: 'Mend the network',
  about: 'Everything will get through again. What has failed more than once, Jobtail tries again after a minute.',
  word: 'mended',
  done: 'You mended the network: everything gets through again.',
  change: mended
}
// #endregion

export const acts: readonly Act[] = [breakWebSocket, bufferStreams, takeServerAway, mendAll]

/** The act once the job has ended. */
export const again: Act = {
  label: 'Run it again',
  about: 'Mends the network and starts another export.',
  word: 'again',
  done: 'Another export starts.',
  change: mended
}

/** Returns the first act that has not been done yet. `wasAway`: the server has been taken away since the network last worked. */
export function nextAct(state: NetworkState, wasAway: boolean): Act {
  if (state.faults.webSocket === 'pass') return breakWebSocket
  if (!state.faults.bufferStreams) return bufferStreams
  return wasAway ? mendAll : takeServerAway
}
