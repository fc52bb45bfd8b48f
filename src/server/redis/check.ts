import { randomBytes } from 'node:crypto'

/** What is tried out, of one job. */
interface Trial {
  append(job: string): Promise<unknown>
  reset(job: string): Promise<unknown>
  listen(job: string): Promise<() => void>
  ask(job: string, command: (key: string) => readonly string[]): Promise<unknown>
}

/** Writes a job, listens to it and removes it: only so is it known that Redis has room, and that its user may. Any job does; each time another, and so another node of a cluster. */
export async function checkRedis({ append, reset, listen, ask }: Trial): Promise<string[]> {
  const job = `jobtail-health-${randomBytes(6).toString('hex')}`
  const stop = await listen(job)
  stop()
  await ask(job, (key) => ['SET', key, '', 'PX', '1000']) // is answered at once, where an append is tried for as long as it may
  await append(job)
  await reset(job)
  const memory = await ask(job, () => ['INFO', 'memory']).catch(() => '') // an ACL may not let us ask
  const [, limit] = /^maxmemory:(\d+)/m.exec(String(memory)) ?? []
  const [, policy] = /^maxmemory_policy:(\S+)/m.exec(String(memory)) ?? []
  if (policy === undefined || policy === 'noeviction' || limit === '0') return []
  return [`Redis removes keys where its memory is full (maxmemory-policy ${policy}), jobs among them: it has to be noeviction`]
}
