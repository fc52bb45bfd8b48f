import { randomBytes } from 'node:crypto'

/** The operations that are tried out, on a job made for it. */
interface CheckOperations {
  append(job: string): Promise<unknown>
  reset(job: string): Promise<unknown>
  subscribe(job: string): Promise<() => void>
  command(job: string, command: (key: string) => readonly string[]): Promise<unknown>
}

/**
 * Writes a job, watches it and deletes it: only that shows that Redis has memory left and that its user has the permissions. The job's id is random, so that
 * in a cluster each check reaches another node. Resolves with warnings; rejects where something fails.
 */
export async function checkRedis({ append, reset, subscribe, command }: CheckOperations): Promise<string[]> {
  const job = `jobtail-health-${randomBytes(6).toString('hex')}`
  const stop = await subscribe(job)
  stop()
  await command(job, (key) => ['SET', key, '', 'PX', '1000']) // one command without retries, so that a refusal shows at once; an append would be retried for `timeoutMs`
  await append(job)
  await reset(job)
  const memory = await command(job, () => ['INFO', 'memory']).catch(() => '') // an ACL may forbid INFO
  const [, limit] = /^maxmemory:(\d+)/m.exec(String(memory)) ?? []
  const [, policy] = /^maxmemory_policy:(\S+)/m.exec(String(memory)) ?? []
  if (policy === undefined || policy === 'noeviction' || limit === '0') return []
  return [`Redis evicts keys, jobs among them, when its memory is full: expected maxmemory-policy noeviction, got ${policy}`]
}
