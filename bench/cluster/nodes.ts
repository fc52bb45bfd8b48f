/** The processes of nodes, as whatever gives them work sees them. */

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { NodeSettings, Place, Question } from './node.ts'

export interface NodeProcess {
  readonly isUp: boolean
  /** Rejects as the node does, and where it dies: then nobody knows whether it was done. */
  ask(question: Question): Promise<Place>
  /** SIGKILL. */
  kill(): Promise<void>
}

/** Resolves once a load balancer has been told that it is well. */
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
    (error: Error) => error // it could not even be started
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
        child.send({ id: count, question }, () => {}) // where it fails the exit says so
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
