import { setTimeout as pause } from 'node:timers/promises'
import { isLogError } from '../log/types.ts'
import { type Client, isReply } from './client.ts'
import { createClusterNodes } from './cluster-nodes.ts'
import { type ConnectionOptions, unavailable } from './connection.ts'
import { explainDenied, reasonOf } from './reply-errors.ts'
import { ALL, type Script } from './scripts.ts'

export interface Scripts {
  /**
   * Runs a script, and repeats it where the connection was lost meanwhile. `args` gets `again`: an earlier attempt may have been executed; and the `run_id`
   * of the Redis that it is sent to. Rejects with `unavailable` where there is no answer within `timeoutMs`, and for errors that may pass, such as a full
   * memory.
   */
  run(script: Script, keys: string[], args: (again: boolean, runId: string) => string[]): Promise<unknown[]>
  /** Sends one command to the node that has the key, without retries. */
  command(key: string, command: readonly string[]): Promise<unknown>
  close(): void
}

/** Redirections of a cluster: the slot is on another node (MOVED), or is being moved there (ASK). */
const REDIRECTED = /^(MOVED|ASK) \d+ (\S+)/
/** Errors of a node that is no master at the moment: a new connection may reach the master. */
const NOT_MASTER = /\b(LOADING|READONLY|MASTERDOWN)\b/
/** The keys of a slot are being moved, and are on two nodes. */
const TRY_AGAIN = /\bTRYAGAIN\b/
const MOVING_MS = 50
/** Errors that pass once an operator, or time, has removed the cause. */
const TEMPORARY = /\b(OOM|MISCONF|NOREPLICAS|BUSY|CLUSTERDOWN)\b/

export function createScripts(options: Omit<ConnectionOptions, 'prepare'>): Scripts {
  const { timeoutMs } = options
  /** The `run_id` of the Redis behind each client. It can't change: a client lives only as long as its socket. */
  const runIds = new WeakMap<Client, string>()
  const nodes = createClusterNodes({ ...options, prepare })

  async function prepare(client: Client): Promise<void> {
    const [runId] = await Promise.all([runIdOf(client), load(client)])
    runIds.set(client, runId)
  }

  return {
    async run(script, keys, args) {
      const begun = performance.now()
      const [key = ''] = keys
      let isAgain = false
      let hasTriedOthers = false
      /** The target of an ASK redirection, which counts for this call only. */
      let askTarget: string | undefined
      for (;;) {
        const node = askTarget === undefined ? nodes.find(key) : nodes.at(askTarget)
        const client = await node.client().catch((error) => {
          nodes.forget(key)
          if (hasTriedOthers || nodes.find(key) === node) throw error
          hasTriedOthers = true // a replica may have taken over: ask the other nodes once
          askTarget = undefined
        })
        if (!client) continue
        try {
          const call = [String(keys.length), ...keys, ...args(isAgain, runIds.get(client) ?? '')]
          return (await node.answer(evaluate(client, script, call, askTarget !== undefined))) as unknown[] // as: every script returns a list
        } catch (error) {
          if (isLogError(error, 'closed')) throw error
          const message = isReply(error) ? error.message : undefined
          const [, kind, address] = REDIRECTED.exec(message ?? '') ?? []
          askTarget = kind === 'ASK' ? address : undefined
          if (kind === 'MOVED' && address !== undefined) nodes.learn(key, address)
          else if (message !== undefined && TRY_AGAIN.test(message)) await pause(MOVING_MS)
          else if (kind === undefined) {
            if (message !== undefined && TEMPORARY.test(message)) throw unavailable(reasonOf(message), error)
            if (message !== undefined && !NOT_MASTER.test(message)) throw explainDenied(error, key, script.lua)
            node.drop(client, error)
            nodes.forget(key)
            isAgain = true
          }
          const sinceMs = Math.round(performance.now() - begun)
          if (sinceMs >= timeoutMs) throw unavailable(`Redis gave no answer for ${sinceMs} ms`, error)
        }
      }
    },
    async command(key, command) {
      for (;;) {
        const node = nodes.find(key)
        try {
          return await node.answer((await node.client()).command(command))
        } catch (error) {
          if (!isReply(error)) throw error
          const [, kind, address] = REDIRECTED.exec(error.message) ?? []
          if (kind !== 'MOVED' || address === undefined)
            throw TEMPORARY.test(error.message) || NOT_MASTER.test(error.message) ? unavailable(reasonOf(error.message), error) : explainDenied(error, key)
          nodes.learn(key, address)
        }
      }
    },
    close: nodes.close
  }
}

/** Loads the scripts before the first call. A call that finds its script missing (NOSCRIPT) sends it anew, and would be overtaken by later calls meanwhile. */
const load = (client: Client): Promise<unknown> => Promise.all(ALL.map(({ lua }) => client.command(['SCRIPT', 'LOAD', lua])))

/** The `run_id` of Redis, which changes with each restart. `''` where an ACL forbids INFO. */
async function runIdOf(client: Client): Promise<string> {
  try {
    return /run_id:(\w+)/.exec(String(await client.command(['INFO', 'server'])))?.[1] ?? ''
  } catch (error) {
    if (isReply(error)) return ''
    throw error
  }
}

async function evaluate(client: Client, { sha, lua }: Script, call: readonly string[], asking: boolean): Promise<unknown> {
  const sendAsking = () => {
    if (asking) client.command(['ASKING']).catch(() => {}) // the command that follows on this connection fails too, and is handled
  }
  try {
    sendAsking()
    return await client.command(['EVALSHA', sha, ...call])
  } catch (error) {
    if (!(isReply(error) && error.message.startsWith('NOSCRIPT'))) throw error
    sendAsking()
    return client.command(['EVAL', lua, ...call])
  }
}
