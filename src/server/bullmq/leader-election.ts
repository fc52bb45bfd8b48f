import { randomBytes } from 'node:crypto'
import { delay } from '../../async/signals.ts'
import type { JobSnapshot } from '../../protocol/frames.ts'
import { isTerminal } from '../../protocol/rules.ts'
import { type EventLog, isLogError } from '../log/types.ts'

/** How long the other bridges wait where the leading one has died. */
const LEASE_MS = 15_000
/** How many unfinished jobs are handed on to the next leader: the latest. */
const MAX_OPEN = 10_000

/**
 * Leader election among the bridges of one queue: the leader holds the lease of a coordination job in the log (`bullmq:{prefix}:{queue}`). That job also
 * lists the unfinished jobs, for a new leader to whom the queue no longer tells of them, and passes requests of lazy bridges to the leader.
 */
export interface LeaderElection {
  /** Resolves once this bridge leads, with the unfinished jobs. Calls `onReady` where another bridge leads and has caught up with the queue. */
  acquire(signal: AbortSignal, onReady: () => void): Promise<string[]>
  /** Renews the lease until the signal is aborted, and rejects with its reason then. Resolves where the lease is lost. */
  renewLease(signal: AbortSignal): Promise<void>
  /** Records which jobs are unfinished, and that the leader has caught up. */
  recordOpen(open: readonly string[]): Promise<void>
  /** Releases the lead to another bridge, with the unfinished jobs. */
  release(open: readonly string[]): Promise<void>
  /** Asks the leader to log a job. */
  requestJob(jobId: string): Promise<void>
  /** Calls `take` for each job that a bridge asks for from now on. Resolves with a function that stops. */
  onRequest(callback: (jobId: string) => void): Promise<() => void>
}

export function createLeaderElection(log: EventLog, job: string): LeaderElection {
  const owner = `bullmq-${randomBytes(9).toString('base64url')}`
  const lease = { owner, ms: LEASE_MS }
  let recorded = ''

  async function readSnapshot(): Promise<JobSnapshot | undefined> {
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
      if (isLogError(error, 'conflict') || isLogError(error, 'ended')) return false // another bridge was first
      throw error
    }
  }

  return {
    async acquire(signal, onReady) {
      for (;;) {
        const woken = Promise.withResolvers<void>()
        const stop = await log.watch(job, () => woken.resolve())
        try {
          const found = await readSnapshot()
          if (await tryToLead(found)) return openIn(found)
          if (Object(found?.progress).isReady === true) onReady()
          await delay(LEASE_MS / 3, signal, woken.promise)
        } finally {
          stop()
        }
      }
    },
    async renewLease(signal) {
      for (;;) {
        await delay(LEASE_MS / 3, signal)
        const isHeld = await log.renew(job, owner, LEASE_MS).catch(() => true) // while the log is unavailable, no other bridge can take the lease either
        if (!isHeld) return
      }
    },
    async recordOpen(open) {
      const latest = open.slice(-MAX_OPEN)
      const text = JSON.stringify(latest)
      if (text === recorded) return
      await log.append(job, 'progress', { open: latest, isReady: true }, { lease })
      recorded = text
    },
    async release(open) {
      await log.append(job, 'succeeded', { open: open.slice(-MAX_OPEN) }, { lease })
    },
    async requestJob(jobId) {
      await log.append(job, 'log', { level: 'debug', message: 'wanted', jobId })
    },
    async onRequest(take) {
      let cursor = (await readSnapshot())?.cursor
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
        reading = reading.then(read).catch(() => {}) // read again at the next wake-up
      }
      const stop = await log.watch(job, readOn)
      readOn()
      return stop
    }
  }
}

/** The unfinished jobs that the coordination job lists. */
function openIn(found: JobSnapshot | undefined): string[] {
  const { open }: { open?: unknown } = Object(found?.result ?? found?.progress)
  return Array.isArray(open) ? open.filter((id) => typeof id === 'string') : []
}
