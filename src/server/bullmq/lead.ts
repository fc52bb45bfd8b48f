import { randomBytes } from 'node:crypto'
import { delay } from '../../async/signals.ts'
import type { JobSnapshot } from '../../protocol/frames.ts'
import { isTerminal } from '../../protocol/rules.ts'
import { type EventLog, isLogError } from '../log/types.ts'

/** How long the others wait where the bridge that leads is gone without a word. */
const LEASE_MS = 15_000
/** How many unfinished jobs are handed on: the latest. */
const MAX_OPEN = 10_000

/**
 * One of a queue's bridges does the work: it has the lease of a job in the log that stands for the queue. That job also says which jobs were unfinished, for
 * a bridge that comes when the queue tells nothing of them any more, and which are asked for where jobs are logged only then.
 */
export interface Lead {
  /** Resolves once this bridge leads, with the jobs that were unfinished. `onReady`: the one that leads has caught up. */
  win(signal: AbortSignal, onReady: () => void): Promise<string[]>
  /** Keeps the lease until the signal aborts; resolves where it is lost. */
  keep(signal: AbortSignal): Promise<void>
  /** Hands on which jobs are unfinished. */
  tell(open: readonly string[]): Promise<void>
  /** Lets another bridge lead. */
  release(open: readonly string[]): Promise<void>
  /** Asks whoever leads to log a job. */
  want(jobId: string): Promise<void>
  /** Calls back for each job that is asked for from now on; returns how to stop. */
  onWanted(take: (jobId: string) => void): Promise<() => void>
}

export function createLead(log: EventLog, job: string): Lead {
  const owner = `bullmq-${randomBytes(9).toString('base64url')}`
  const lease = { owner, ms: LEASE_MS }
  let told = ''

  async function find(): Promise<JobSnapshot | undefined> {
    try {
      return await log.snapshot(job)
    } catch (error) {
      if (isLogError(error, 'history-gone')) return undefined
      throw error
    }
  }

  async function tryToLead(found: JobSnapshot | undefined): Promise<boolean> {
    if (found && !isTerminal(found.status)) return log.renew(job, owner, LEASE_MS)
    try {
      if (found) await log.reset(job)
      await log.append(job, 'progress', { open: openIn(found), isReady: false }, { expectSeq: 0, lease })
      return true
    } catch (error) {
      if (isLogError(error, 'conflict') || isLogError(error, 'ended')) return false // another one was first
      throw error
    }
  }

  return {
    async win(signal, onReady) {
      for (;;) {
        const woken = Promise.withResolvers<void>()
        const stop = await log.watch(job, () => woken.resolve())
        try {
          const found = await find()
          if (await tryToLead(found)) return openIn(found)
          if (Object(found?.progress).isReady === true) onReady()
          await delay(LEASE_MS / 3, signal, woken.promise)
        } finally {
          stop()
        }
      }
    },
    async keep(signal) {
      for (;;) {
        await delay(LEASE_MS / 3, signal)
        const isHeld = await log.renew(job, owner, LEASE_MS).catch(() => true) // out of reach: for the others as well
        if (!isHeld) return
      }
    },
    async tell(open) {
      const latest = open.slice(-MAX_OPEN)
      const text = JSON.stringify(latest)
      if (text === told) return
      await log.append(job, 'progress', { open: latest, isReady: true }, { lease })
      told = text
    },
    async release(open) {
      await log.append(job, 'succeeded', { open: open.slice(-MAX_OPEN) }, { lease })
    },
    async want(jobId) {
      await log.append(job, 'log', { level: 'debug', message: 'wanted', jobId })
    },
    async onWanted(take) {
      let cursor = (await find())?.cursor
      let reading = Promise.resolve()
      const read = async () => {
        for (let more = true; more; ) {
          const page = await log.read(job, cursor, 100)
          for (const { type, data } of page?.events ?? []) if (type === 'log' && typeof Object(data).jobId === 'string') take(Object(data).jobId)
          cursor = page?.events.at(-1)?.id ?? page?.cursor
          more = page?.more === true
        }
      }
      const readOn = () => {
        reading = reading.then(read).catch(() => {}) // the next wake-up reads again
      }
      const stop = await log.watch(job, readOn)
      readOn()
      return stop
    }
  }
}

/** What was handed on. */
function openIn(found: JobSnapshot | undefined): string[] {
  const { open }: { open?: unknown } = Object(found?.result ?? found?.progress)
  return Array.isArray(open) ? open.filter((id) => typeof id === 'string') : []
}
