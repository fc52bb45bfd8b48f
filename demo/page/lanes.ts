/** The first look's name in diagnostics. */
export const LOOK = 'look'

/** The lanes of the timeline from top to bottom, and what a transport is called. */
export const laneNames: Readonly<Record<string, string>> = {
  [LOOK]: 'First look',
  websocket: 'WebSocket',
  sse: 'Event stream',
  'long-poll': 'Long poll',
  'short-poll': 'Short poll'
}
