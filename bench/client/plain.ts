/** A log that only keeps events and sends them. It serves the bare contestants. */

import type http from 'node:http'
import type { Server as SocketIo } from 'socket.io'
import type { WebSocketServer } from 'ws'
import type { WireEvent } from '../../src/protocol/frames.ts'

type Send = (events: readonly WireEvent[]) => void

export interface PlainLog {
  publish(topic: string, type: string, data: unknown): void
  /** Sends the events so far, then later ones. Returns a function that stops. */
  follow(topic: string, send: Send): () => void
}

export function plainLog(): PlainLog {
  const topics = new Map<string, { events: WireEvent[]; followers: Set<Send> }>()
  function find(name: string): { events: WireEvent[]; followers: Set<Send> } {
    const topic = topics.get(name) ?? { events: [], followers: new Set() }
    topics.set(name, topic)
    return topic
  }
  return {
    publish(name, type, data) {
      const { events, followers } = find(name)
      const seq = events.length + 1
      const event: WireEvent = { id: `mikplain0a1b2c-${seq}`, seq, job: name, type, time: new Date().toISOString(), data }
      events.push(event)
      for (const send of followers) send([event])
    },
    follow(name, send) {
      const { events, followers } = find(name)
      if (events.length > 0) send(events)
      followers.add(send)
      return () => followers.delete(send)
    }
  }
}

const topicIn = (url: string | undefined): string | null => new URL(url ?? '/', 'http://localhost').searchParams.get('topic')

/** Serves an event stream with one frame per event. */
export function serveStream(log: PlainLog, req: http.IncomingMessage, res: http.ServerResponse): void {
  res.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store' })
  const stop = log.follow(topicIn(req.url) ?? '', (events) => res.write(events.map((event) => `id: ${event.id}\ndata: ${JSON.stringify(event)}\n\n`).join('')))
  res.once('close', stop)
}

/** Serves WebSockets with one frame per event, for the URL's topic and for topics that messages name. */
export function serveSockets(log: PlainLog, sockets: WebSocketServer): void {
  sockets.on('connection', (ws, req) => {
    const stops: (() => void)[] = []
    const follow = (topic: string): void => {
      const send: Send = (events) => {
        for (const event of events) ws.send(JSON.stringify(event))
      }
      stops.push(log.follow(topic, send))
    }
    const topic = topicIn(req.url)
    if (topic !== null) follow(topic)
    ws.on('message', (message) => follow(String(message)))
    ws.once('close', () => {
      for (const stop of stops) stop()
    })
  })
}

/** The same with socket.io. */
export function serveSocketIo(log: PlainLog, io: SocketIo): void {
  io.on('connection', (socket) => {
    const stops: (() => void)[] = []
    const follow = (topic: string): void => {
      const send: Send = (events) => {
        for (const event of events) socket.emit('event', event)
      }
      stops.push(log.follow(topic, send))
    }
    const { topic } = socket.handshake.query
    if (typeof topic === 'string') follow(topic)
    socket.on('follow', follow)
    socket.once('disconnect', () => {
      for (const stop of stops) stop()
    })
  })
}
