/** The lane of events that no live transport brought: those of the single read that a job begins with. */
export const FIRST_READ = 'first-read'

/** The lanes of a client with the default transports from top to bottom, with their names. */
export const laneNames: Readonly<Record<string, string>> = {
  [FIRST_READ]: 'First read',
  websocket: 'WebSocket',
  sse: 'Event stream',
  'long-poll': 'Long poll',
  'short-poll': 'Short poll'
}

export const laneName = (transport: string): string => laneNames[transport] ?? transport

/** A transport's name in the middle of a sentence. */
export const transportName = (transport: string): string => laneName(transport).replace(/^[A-Z](?=[a-z]+ )/, (first) => first.toLowerCase())
