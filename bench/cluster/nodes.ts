/** Starts the node processes and gives them work. */

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { NodeSettings, Place, Question } from './node.ts'

export interface NodeProcess {
  readonly isUp: boolean
  /** Rejects with the node's error, or when the node dies: then the outcome is unknown. */
  ask(question: Question): Promise<Place>
  /** Kills the process with SIGKILL. */
  kill(): Promise<void>
}

/** Resolves when the node has told the load balancer that it is healthy. */
export async function startNodeProcess(settings: NodeSettings): Promise<NodeProcess> {
  const child = fork(join(import.meta.dirname, 'node.ts'), [JSON.stringify(settings)], { execArgv: [] })
  const asked = new Map<number, PromiseWithResolvers<Place>>()
  const ready = Promise.withResolvers<void>()
  let count = 0
  let isUp = true

  child.on('message', (said: { ready?: true; id: number; place: Place; error?: string }) => {
    if (said.ready) return ready.resolve()
    const answer = asked.get(said.id)
    asked.delete(said.id)
    if (said.error === undefined) answer?.resolve(said.place)
    else answer?.reject(new Error(said.error))
  })
  const ended = once(child, 'exit').then(
    ([code, signal]) => new Error(`the node ended with ${signal ?? code}`),
    (error: Error) => error // the process could not be started
  )
  const exited = ended.then((error) => {
    isUp = false
    ready.reject(error)
    for (const { reject } of asked.values()) reject(error)
  })
  await ready.promise
  return {
    get isUp() {
      return isUp
    },
    ask(question) {
      const answer = Promise.withResolvers<Place>()
      if (!isUp) answer.reject(new Error('the node is down'))
      else {
        count += 1
        asked.set(count, answer)
        child.send({ id: count, question }, () => {}) // if it fails, the exit follows
      }
      return answer.promise
    },
    async kill() {
      isUp = false
      child.kill('SIGKILL')
      await exited
    }
  }
}
