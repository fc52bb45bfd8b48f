import { ErrorReply } from 'redis'
import { isLogError } from '../log/types.ts'
import { type Client, type ConnectionOptions, createConnection, unavailable } from './connection.ts'
import type { Script } from './scripts.ts'

export interface Scripts {
  /**
   * Runs a script, again where its connection was lost meanwhile: `args` is told whether it may have run already.
   * Rejects with `unavailable` where Redis has not answered for `timeoutMs`, and for what it refuses for the time being.
   */
  run(script: Script, keys: string[], args: (again: boolean) => string[]): Promise<unknown[]>
  close(): void
}

/** Another server, or this one a little later, will do: the connection is made anew. */
const ELSEWHERE = /\b(LOADING|READONLY|MASTERDOWN)\b/
/** It will do once somebody has seen to it. */
const LATER = /\b(OOM|MISCONF|NOREPLICAS|BUSY|CLUSTERDOWN|TRYAGAIN)\b/

export function createScripts(options: ConnectionOptions): Scripts {
  const { timeoutMs } = options
  const connection = createConnection(options)

  async function evaluate(client: Client, { sha, lua }: Script, call: { keys: string[]; arguments: string[] }): Promise<unknown> {
    try {
      return await client.evalSha(sha, call)
    } catch (error) {
      if (error instanceof ErrorReply && error.message.startsWith('NOSCRIPT')) return client.eval(lua, call)
      throw error
    }
  }

  return {
    async run(script, keys, args) {
      const begun = Date.now()
      for (let again = false; ; again = true) {
        const client = await connection.client()
        try {
          return (await connection.answer(evaluate(client, script, { keys, arguments: args(again) }))) as unknown[] // as: what each script returns
        } catch (error) {
          if (isLogError(error, 'closed')) throw error
          const refused = error instanceof ErrorReply
          if (refused && LATER.test(error.message)) throw unavailable('Redis refuses for now', error)
          if (refused && !ELSEWHERE.test(error.message)) throw error
          connection.drop(client, error)
          if (Date.now() - begun >= timeoutMs) throw unavailable(`Redis has not answered for ${Date.now() - begun} ms`, error)
        }
      }
    },
    close: connection.close
  }
}
