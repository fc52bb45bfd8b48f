import { LogError } from '../log/types.ts'
import { type Client, isReply } from './client.ts'
import { type ConnectionOptions, createConnection, unavailable } from './connection.ts'
import { explainDeniedSubscribe } from './reply-errors.ts'

/** Wake-ups by Redis' pub/sub, over one connection for all channels. */
export interface WakeUps {
  /**
   * Subscribes to a channel, and resolves once the subscription is active. Calls `wake` with each message; and without one after the connection was lost and
   * made anew, since messages may have been missed. Resolves with a function that stops.
   */
  subscribe(channel: string, wake: (message?: string) => void): Promise<() => void>
  close(): void
}

interface Channel {
  wakes: Set<(message?: string) => void>
  /** The client that was last told to subscribe. */
  client?: Client
  /** Settles with that client's answer. */
  active?: Promise<unknown>
}

/** How many channels one SUBSCRIBE names. */
const BATCH = 1000

export function createWakeUps(options: Omit<ConnectionOptions, 'prepare'>): WakeUps {
  const channels = new Map<string, Channel>()
  const connection = createConnection({ ...options, prepare: resubscribe })

  function dispatch(message: string, name: string): void {
    for (const wake of channels.get(name)?.wakes ?? []) wake(message || undefined)
  }

  /** Subscribes a new client to every channel of the one before, and wakes all watchers: messages in between are lost, the events are in the log. */
  async function resubscribe(client: Client): Promise<void> {
    const interrupted = [...channels].filter(([, channel]) => channel.client)
    const names = interrupted.map(([name]) => name)
    for (let at = 0; at < names.length; at += BATCH) await client.subscribe(names.slice(at, at + BATCH), dispatch)
    for (const [name, channel] of interrupted) {
      channel.client = client
      channel.active = Promise.resolve()
      if (channels.get(name) !== channel) unsubscribe(name, channel)
    }
    for (const [name] of interrupted) dispatch('', name)
  }

  async function activate(name: string, channel: Channel): Promise<void> {
    const begun = performance.now()
    for (;;) {
      const client = await connection.client()
      if (channel.client !== client) {
        channel.client = client
        const active = connection.answer(client.subscribe([name], dispatch))
        channel.active = active
        active.catch((cause) => connection.drop(client, cause))
      }
      try {
        await channel.active
        return
      } catch (error) {
        const isLost = !(error instanceof LogError || isReply(error))
        if (!isLost || performance.now() - begun >= options.timeoutMs) throw error
      }
    }
  }

  /** Unsubscribes. Watchers that come to the channel afterwards send a SUBSCRIBE of their own, which Redis executes after this. */
  function unsubscribe(name: string, { client }: Channel): void {
    client?.unsubscribe(name, dispatch).catch(() => {}) // the connection is gone, and its subscriptions with it
  }

  return {
    async subscribe(name, wake) {
      const channel = channels.get(name) ?? { wakes: new Set() }
      channels.set(name, channel)
      const own = (message?: string) => wake(message) // a new function for each call: a set would take the same function only once
      channel.wakes.add(own)
      const stop = () => {
        channel.wakes.delete(own)
        if (channel.wakes.size > 0 || channels.get(name) !== channel) return
        channels.delete(name)
        unsubscribe(name, channel)
      }
      try {
        await activate(name, channel)
      } catch (error) {
        stop()
        throw error instanceof LogError
          ? error
          : isReply(error)
            ? explainDeniedSubscribe(error, name)
            : unavailable('subscribing to a channel of Redis failed', error)
      }
      return stop
    },
    close: connection.close
  }
}
