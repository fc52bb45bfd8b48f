/** The ways to follow topics in a page, behind one function. Events are parsed and passed on one by one. */

import { fetchEventSource } from '@microsoft/fetch-event-source'
import { createParser } from 'eventsource-parser'
import { io } from 'socket.io-client'
import type { Transport } from '../../../src/index.ts'
import type { WireEvent } from '../../../src/protocol/frames.ts'
import type { Source } from '../spec.ts'

/** The global of the script-tag bundle. */
declare const Jobtail: typeof import('../../../src/index.ts')

export interface Following {
  /** Resolves when events that are appended from now on will arrive over a connection. */
  live: Promise<unknown>
  stop(): void
}

type OnEvent = (event: Pick<WireEvent, 'seq' | 'job' | 'data'>) => void

export interface Contestant {
  source: Source
  /** It reads the events so far, and no later ones. */
  isOnce?: true
  /** `fail` gets the errors, also after `stop()`. */
  follow(topics: readonly string[], onEvent: OnEvent, fail: (error: unknown) => void): Following
}

function jobtail(transports?: () => Transport[]): Contestant {
  return {
    source: 'kit',
    follow(topics, onEvent, fail) {
      const client = Jobtail.createClient({ memory: false, ...(transports && { transports: transports() }) })
      const live: Promise<void>[] = []
      for (const topic of topics) {
        const subscription = client.subscribe<Record<string, unknown>>(topic)
        const { promise, resolve } = Promise.withResolvers<void>()
        const look = (): void => {
          if (subscription.state.connection.phase === 'live') resolve()
        }
        subscription.onChange(look)
        live.push(promise)
        const read = async (): Promise<void> => {
          for await (const event of subscription) onEvent(event)
        }
        read().catch(fail)
        look()
      }
      return { live: Promise.all(live), stop: () => client.close() }
    }
  }
}

const eventsOf = ([topic = '']: readonly string[]): string => `/jobs/${topic}/events`

function fetchStream(source: Source, urlOf: (topics: readonly string[]) => string): Contestant {
  return {
    source,
    follow(topics, onEvent, fail) {
      const aborting = new AbortController()
      const read = async (): Promise<void> => {
        const { body } = await fetch(urlOf(topics), { headers: { accept: 'text/event-stream' }, cache: 'no-store', signal: aborting.signal })
        if (!body) throw new Error('no body')
        const parser = createParser({
          onEvent({ event, data }) {
            if (event === undefined) onEvent(JSON.parse(data))
          }
        })
        const decoder = new TextDecoder()
        const reader = body.getReader()
        for (;;) {
          const { done, value } = await reader.read()
          if (done) return
          parser.feed(decoder.decode(value, { stream: true }))
        }
      }
      read().catch(fail)
      return { live: Promise.resolve(), stop: () => aborting.abort() }
    }
  }
}

/** How many jobs a list may have by the kit's default. */
const LIST = 100

const fetchJson: Contestant = {
  source: 'kit',
  isOnce: true,
  follow(topics, onEvent, fail) {
    const aborting = new AbortController()
    const read = async (list: readonly string[]): Promise<void> => {
      const query = list.map((topic) => `job=${topic}`).join('&')
      const response = await fetch(`/jobs/events?${query}`, { headers: { accept: 'application/json' }, cache: 'no-store', signal: aborting.signal })
      for (const event of (await response.json()).events) onEvent(event)
    }
    for (let start = 0; start < topics.length; start += LIST) read(topics.slice(start, start + LIST)).catch(fail)
    return { live: Promise.resolve(), stop: () => aborting.abort() }
  }
}

const eventSource: Contestant = {
  source: 'kit',
  follow(topics, onEvent, fail) {
    const source = new EventSource(eventsOf(topics))
    source.onmessage = ({ data }) => onEvent(JSON.parse(data))
    source.onerror = () => fail(new Error('the EventSource has failed'))
    return { live: Promise.resolve(), stop: () => source.close() }
  }
}

const fetchEventSourcePackage: Contestant = {
  source: 'kit',
  follow(topics, onEvent, fail) {
    const aborting = new AbortController()
    fetchEventSource(eventsOf(topics), {
      openWhenHidden: true,
      signal: aborting.signal,
      onmessage({ event, data }) {
        if (event === '') onEvent(JSON.parse(data))
      }
    }).catch(fail)
    return { live: Promise.resolve(), stop: () => aborting.abort() }
  }
}

const webSocket: Contestant = {
  source: 'plain',
  follow([first = '', ...others], onEvent, fail) {
    const socket = new WebSocket(`/ws?topic=${first}`)
    socket.onopen = () => {
      for (const topic of others) socket.send(topic)
    }
    socket.onmessage = ({ data }) => onEvent(JSON.parse(data))
    socket.onclose = () => fail(new Error('the socket was closed'))
    return { live: Promise.resolve(), stop: () => socket.close() }
  }
}

function socketIo(transports: string[]): Contestant {
  return {
    source: 'plain',
    follow([topic = '', ...others], onEvent, fail) {
      const socket = io({ transports, query: { topic }, reconnection: false })
      socket.on('connect', () => {
        for (const other of others) socket.emit('follow', other)
      })
      socket.on('event', onEvent)
      socket.on('connect_error', fail)
      socket.on('disconnect', () => fail(new Error('the socket was closed')))
      return { live: Promise.resolve(), stop: () => void socket.close() }
    }
  }
}

export const contestants: Readonly<Record<string, Contestant>> = {
  jobtail: jobtail(),
  'jobtail, WebSocket': jobtail(() => [Jobtail.webSocket()]),
  'jobtail, event stream': jobtail(() => [Jobtail.sse()]),
  'jobtail, long poll': jobtail(() => [Jobtail.longPoll()]),
  'bare fetch stream': fetchStream('kit', eventsOf),
  'bare fetch stream, plain server': fetchStream('plain', ([topic]) => `/plain?topic=${topic}`),
  'bare fetch of JSON': fetchJson,
  EventSource: eventSource,
  'fetch-event-source': fetchEventSourcePackage,
  WebSocket: webSocket,
  'socket.io': socketIo(['polling', 'websocket']),
  'socket.io, WebSocket first': socketIo(['websocket'])
}
