import { setTimeout as pause } from 'node:timers/promises'
import { isLogError } from '../log/types.ts'
import { type Client, isReply } from './client.ts'
import { createClusterNodes } from './cluster-nodes.ts'
import { type ConnectionOptions, unavailable } from './connection.ts'
import { inWords, reasonOf } from './refusals.ts'
import { ALL, type Script } from './scripts.ts'

export interface Scripts {
  /**
   * Runs a script, again where its connection was lost meanwhile: `args` is told whether it may have run already, and which run of Redis it is sent to.
   * Rejects with `unavailable` where Redis has not answered for `timeoutMs`, and for what it refuses for the time being.
   */
  run(script: Script, keys: string[], args: (again: boolean, runId: string) => string[]): Promise<unknown[]>
  /** What the node that has the key answers to a command, which is not tried again. */
  ask(key: string, command: readonly string[]): Promise<unknown>
  close(): void
}

/** In a cluster: the key is kept elsewhere, or may be there already. */
const REDIRECTED = /^(MOVED|ASK) \d+ (\S+)/
/** Another server, or this one a little later, will do: the connection is made anew. */
const ELSEWHERE = /\b(LOADING|READONLY|MASTERDOWN)\b/
/** The keys are being moved. */
const MOVING = /\bTRYAGAIN\b/
const MOVING_MS = 50
/** It will do once somebody has seen to it. */
const LATER = /\b(OOM|MISCONF|NOREPLICAS|BUSY|CLUSTERDOWN)\b/

export function createScripts(options: Omit<ConnectionOptions, 'prepare'>): Scripts {
  const { timeoutMs } = options
  /** A client lives as long as its socket, and so does what it is connected to. */
  const runIds = new WeakMap<Client, string>()
  const places = createClusterNodes({ ...options, prepare })

  async function prepare(client: Client): Promise<void> {
    const [runId] = await Promise.all([runIdOf(client), load(client)])
    runIds.set(client, runId)
  }

  return {
    async run(script, keys, args) {
      const begun = performance.now()
      const [key = ''] = keys
      let isAgain = false
      let hasLooked = false
      /** Where this call, and no other yet, is sent. */
      let asked: string | undefined
      for (;;) {
        const node = asked === undefined ? places.find(key) : places.at(asked)
        const client = await node.client().catch((error) => {
          places.forget(key)
          if (hasLooked || places.find(key) === node) throw error
          hasLooked = true // somebody may have taken its place, whom the others know
          asked = undefined
        })
        if (!client) continue
        try {
          const call = [String(keys.length), ...keys, ...args(isAgain, runIds.get(client) ?? '')]
          return (await node.answer(evaluate(client, script, call, asked !== undefined))) as unknown[] // as: what each script returns
        } catch (error) {
          if (isLogError(error, 'closed')) throw error
          const message = isReply(error) ? error.message : undefined
          const [, kind, address] = REDIRECTED.exec(message ?? '') ?? []
          asked = kind === 'ASK' ? address : undefined
          if (kind === 'MOVED' && address !== undefined) places.learn(key, address)
          else if (message !== undefined && MOVING.test(message)) await pause(MOVING_MS)
          else if (kind === undefined) {
            if (message !== undefined && LATER.test(message)) throw unavailable(reasonOf(message), error)
            if (message !== undefined && !ELSEWHERE.test(message)) throw inWords(error, key, script.lua)
            node.drop(client, error)
            places.forget(key)
            isAgain = true
          }
          const sinceMs = Math.round(performance.now() - begun)
          if (sinceMs >= timeoutMs) throw unavailable(`Redis has not answered for ${sinceMs} ms`, error)
        }
      }
    },
    async ask(key, command) {
      for (;;) {
        const node = places.find(key)
        try {
          return await node.answer((await node.client()).command(command))
        } catch (error) {
          if (!isReply(error)) throw error
          const [, kind, address] = REDIRECTED.exec(error.message) ?? []
          if (kind !== 'MOVED' || address === undefined)
            throw LATER.test(error.message) || ELSEWHERE.test(error.message) ? unavailable(reasonOf(error.message), error) : inWords(error, key)
          places.learn(key, address)
        }
      }
    },
    close: places.close
  }
}

/** Before the first call: one that has to send its script anew would come after those that were made after it. */
const load = (client: Client): Promise<unknown> => Promise.all(ALL.map(({ lua }) => client.command(['SCRIPT', 'LOAD', lua])))

/** Which run of Redis this is: after a restart it is another one. `''` where an ACL doesn't let us ask. */
async function runIdOf(client: Client): Promise<string> {
  try {
    return /run_id:(\w+)/.exec(String(await client.command(['INFO', 'server'])))?.[1] ?? ''
  } catch (error) {
    if (isReply(error)) return ''
    throw error
  }
}

async function evaluate(client: Client, { sha, lua }: Script, call: readonly string[], asking: boolean): Promise<unknown> {
  const ask = () => {
    if (asking) client.command(['ASKING']).catch(() => {}) // what comes after it on this connection fails as well
  }
  try {
    ask()
    return await client.command(['EVALSHA', sha, ...call])
  } catch (error) {
    if (!(isReply(error) && error.message.startsWith('NOSCRIPT'))) throw error
    ask()
    return client.command(['EVAL', lua, ...call])
  }
}
