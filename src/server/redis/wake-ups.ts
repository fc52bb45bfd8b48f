import { LogError } from '../log/types.ts'
import { type Client, isReply } from './client.ts'
import { type ConnectionOptions, createConnection, unavailable } from './connection.ts'
import { listeningInWords } from './refusals.ts'

/** Pub/sub over one connection, however many listen. */
export interface WakeUps {
  /** Resolves once the channel is listened to; calls `wake` at each of its messages, with what it says, and without whenever listening was interrupted and is active again. */
  listen(channel: string, wake: (message?: string) => void): Promise<() => void>
  close(): void
}

interface Channel {
  wakes: Set<(message?: string) => void>
  /** What it was last subscribed with. */
  client?: Client
  /** Settles with that subscription. */
  active?: Promise<unknown>
}

/** How many channels a command names. */
const BATCH = 1000

export function createWakeUps(options: Omit<ConnectionOptions, 'prepare'>): WakeUps {
  const channels = new Map<string, Channel>()
  const connection = createConnection({ ...options, prepare: resume })

  function dispatch(message: string, name: string): void {
    for (const wake of channels.get(name)?.wakes ?? []) wake(message || undefined)
  }

  /** Subscribes a new client to all that the one before it was; what they have missed is in the log. */
  async function resume(client: Client): Promise<void> {
    const interrupted = [...channels].filter(([, channel]) => channel.client)
    const names = interrupted.map(([name]) => name)
    for (let at = 0; at < names.length; at += BATCH) await client.subscribe(names.slice(at, at + BATCH), dispatch)
    for (const [name, channel] of interrupted) {
      channel.client = client
      channel.active = Promise.resolve()
      if (channels.get(name) !== channel) leave(name, channel)
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

  /** Unless others have come to the channel meanwhile, who are subscribed by a command after this one. */
  function leave(name: string, { client }: Channel): void {
    client?.unsubscribe(name, dispatch).catch(() => {}) // gone, and its subscriptions with it
  }

  return {
    async listen(name, wake) {
      const channel = channels.get(name) ?? { wakes: new Set() }
      channels.set(name, channel)
      const own = (message?: string) => wake(message) // so that the same function may listen twice
      channel.wakes.add(own)
      const stop = () => {
        channel.wakes.delete(own)
        if (channel.wakes.size > 0 || channels.get(name) !== channel) return
        channels.delete(name)
        leave(name, channel)
      }
      try {
        await activate(name, channel)
      } catch (error) {
        stop()
        throw error instanceof LogError ? error : isReply(error) ? listeningInWords(error, name) : unavailable('Redis could not be listened to', error)
      }
      return stop
    },
    close: connection.close
  }
}
