/** The browser's own connections, used the way their documentation shows. */

import type { JobEvent } from 'jobtail'

// #region eventsource
export function followByEventSource(url: string, show: (event: JobEvent) => void): EventSource {
  const source = new EventSource(url)
  source.onmessage = ({ data }) => show(JSON.parse(data))
  return source
}
// #endregion

// #region websocket
export function followByWebSocket(url: string, show: (event: JobEvent) => void): WebSocket {
  const socket = new WebSocket(url, 'jobtail.v1')
  socket.onmessage = ({ data }) => {
    for (const frame of [JSON.parse(data)].flat()) if (frame.type) show(frame)
  }
  return socket
}
// #endregion
