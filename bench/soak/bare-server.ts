/** A server without Jobtail: `ws`, a stream of lines, a long poll and a short poll. */

import type http from 'node:http'
import { WebSocketServer } from 'ws'
import type { Via } from './bare-follower.ts'

/** An event on its way. `seq` counts those of its lane from 1 on. */
export interface Message {
  lane: number
  seq: number
  data: unknown
}

/** How many events of a lane are kept: more than a follower ever misses. */
const KEPT = 500
const HEARTBEAT = '{}'
const HEARTBEAT_MS = 2000
const LONG_POLL_MS = 10_000

interface BareServer {
  publish(lane: number, data: unknown): void
  close(): void
}

type Send = (text: string) => void
interface Reading {
  lanes: number[]
  /** What came after the reader's cursors. */
  missed: string[]
  via: Via
}

/** Answers `?lanes=1,2&after=7,9&via=stream` with the events after these, and for all but a short poll with those to come. */
export function serveBare(server: http.Server): BareServer {
  const kept = new Map<number, string[]>()
  const counts = new Map<number, number>()
  const followers = new Map<Send, readonly number[]>()
  const sockets = new WebSocketServer({ noServer: true })

  function readingOf({ url = '/' }: http.IncomingMessage): Reading {
    const { searchParams } = new URL(url, 'http://localhost')
    const numbers = (name: string): number[] => (searchParams.get(name) ?? '').split(',').map(Number)
    const [lanes, after] = [numbers('lanes'), numbers('after')]
    const missed = lanes.flatMap((lane, index) => {
      const count = (counts.get(lane) ?? 0) - (after[index] ?? 0)
      return count > 0 ? (kept.get(lane) ?? []).slice(-count) : []
    })
    return { lanes, missed, via: searchParams.get('via') as Via } // as: from our own followers
  }

  /** Sends until the returned function is called. */
  function follow({ lanes, missed }: Reading, send: Send): () => void {
    send(HEARTBEAT)
    for (const text of missed) send(text)
    followers.set(send, lanes)
    const heartbeat = setInterval(send, HEARTBEAT_MS, HEARTBEAT)
    return () => {
      followers.delete(send)
      clearInterval(heartbeat)
    }
  }

  function answerPoll({ lanes, missed, via }: Reading, res: http.ServerResponse): void {
    const send: Send = (text) => {
      followers.delete(send)
      clearTimeout(timer)
      res.end(text)
    }
    const timer = setTimeout(send, LONG_POLL_MS, HEARTBEAT)
    res.on('close', () => send(HEARTBEAT))
    if (via === 'short-poll' || missed.length > 0) send([HEARTBEAT, ...missed].join('\n'))
    else followers.set(send, lanes)
  }

  server.on('upgrade', (req, socket, head) =>
    sockets.handleUpgrade(req, socket, head, (opened) => {
      opened.on('error', () => {}) // 'close' follows
      opened.on(
        'close',
        follow(readingOf(req), (text) => opened.send(text))
      )
    })
  )
  server.on('request', (req: http.IncomingMessage, res: http.ServerResponse) => {
    const reading = readingOf(req)
    const isStream = reading.via === 'stream'
    res.writeHead(200, { 'content-type': isStream ? 'text/event-stream' : 'text/plain' })
    if (!isStream) return answerPoll(reading, res)
    res.on(
      'close',
      follow(reading, (text) => res.write(`${text}\n`))
    )
  })

  return {
    publish(lane, data) {
      const seq = (counts.get(lane) ?? 0) + 1
      counts.set(lane, seq)
      const text = JSON.stringify({ lane, seq, data } satisfies Message)
      const all = kept.get(lane) ?? []
      kept.set(lane, all)
      if (all.push(text) > KEPT) all.shift()
      for (const [send, lanes] of [...followers]) if (lanes.includes(lane)) send(text)
    },
    close: () => sockets.close()
  }
}
