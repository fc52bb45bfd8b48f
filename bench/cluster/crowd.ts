/** Starts the follower processes and collects their results. */

import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Asked } from './followers.ts'
import { type Followed, TRANSPORTS } from './verdict.ts'

export interface Crowd {
  /** Resolves when all loops have ended. */
  over: Promise<unknown>
  report(): Promise<Followed[]>
}

/** Resolves when all followers have the first event. Transports are dealt out in turn. Followers of one job share a process. */
export async function openCrowd(url: string, jobs: readonly string[], count: number, processes: number, stack: AsyncDisposableStack): Promise<Crowd[]> {
  const all = Array.from({ length: count }, (_, n) => ({
    index: Math.floor((n * jobs.length) / count),
    transport: TRANSPORTS[n % TRANSPORTS.length] ?? 'sse'
  }))
  return Promise.all(
    Array.from({ length: processes }, async (_, process) => {
      const child = fork(join(import.meta.dirname, 'followers.ts'), { execArgv: [] })
      const exited = once(child, 'exit')
      stack.defer(async () => {
        child.kill('SIGKILL')
        await exited
      })
      const mine = all.filter(({ index }) => index % processes === process)
      child.send({ url, followers: mine.map(({ index, transport }) => ({ job: jobs[index] ?? '', transport })) } satisfies Asked)
      const over = told(child, 'over')
      over.catch(() => {}) // whoever awaits it gets the error
      await told(child, 'opened')
      return {
        over,
        async report() {
          child.send({ report: true })
          return (await told(child, 'followed')) as Followed[] // as: the child's answer
        }
      }
    })
  )
}

/** Resolves with the next message that has this property. */
function told(child: ChildProcess, property: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    child.on('message', (said: Record<string, unknown>) => {
      if (said[property] !== undefined) resolve(said[property])
    })
    child.on('exit', (code, signal) => reject(new Error(`a process of followers ended with ${signal ?? code}`)))
  })
}
