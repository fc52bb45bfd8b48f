import { expect, onTestFinished, test, vi } from 'vitest'
import type * as Kit from '../../../src/server/index.ts'
import type { JobServerOptions } from '../../../src/server/server-options.ts'
import type { JobServer } from '../../../src/server/types.ts'

/** Loads all modules again, as a bundler does that puts a module into several outputs. */
async function evaluate(): Promise<typeof Kit> {
  vi.resetModules()
  return import('../../../src/server/index.ts')
}

function serve({ createJobServer }: typeof Kit, options: JobServerOptions): JobServer {
  const jobs = createJobServer({ onError: () => {}, ...options })
  onTestFinished(() => jobs.close({ graceMs: 0 }))
  return jobs
}

const get = (jobs: JobServer, path: string) => jobs.fetch(new Request(`http://localhost/jobs${path}`))
const post = (jobs: JobServer, path: string, headers: Record<string, string> = {}) =>
  jobs.fetch(new Request(`http://localhost/jobs${path}`, { method: 'POST', headers }))

test('two copies of the module share a log with a name: what one starts, the other follows and cancels', async () => {
  const kits = [await evaluate(), await evaluate()] as const
  expect(kits[0].memoryLog).not.toBe(kits[1].memoryLog)
  const warn = vi.spyOn(console, 'warn').mockReturnValue()
  onTestFinished(() => warn.mockRestore())
  const [one, other] = kits.map((kit) =>
    serve(kit, {
      log: kit.memoryLog({ name: 'twice' }),
      authorize: () => true,
      start: ({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    })
  ) as [JobServer, JobServer] // as: two
  const { id } = (await (await post(one, '')).json()) as { id: string }
  expect((await get(other, `/${id}`)).status).toBe(200)
  expect((await post(other, `/${id}/cancel`)).status).toBe(202)
  await vi.waitFor(async () => expect(await (await get(other, `/${id}`)).json()).toMatchObject({ status: 'cancelled' }))
  expect(warn).not.toHaveBeenCalled()
})

test("one copy knows the errors of the other's log", async () => {
  const kits = [await evaluate(), await evaluate()] as const
  const [one, other] = kits.map((kit) => serve(kit, { log: kit.memoryLog({ name: 'errors', ttlMs: 50 }), start: () => {} })) as [JobServer, JobServer] // as: two
  await one.publish('a', 'succeeded', {})
  await vi.waitFor(async () => expect((await get(other, '/a')).status).toBe(410))
  expect(await other.publish('b', 'succeeded', {}).then(() => other.publish('b', 'log', {}).catch((error) => error))).toMatchObject({ code: 'ended' })
})

test('a log with a name lives until all have closed it, and then the name begins another one', async () => {
  const { memoryLog } = await evaluate()
  const [one, other] = [memoryLog({ name: 'closed' }), memoryLog({ name: 'closed' })]
  await one.append('a', 'queued', {})
  await one.close()
  await one.close()
  expect(await other.snapshot('a')).toMatchObject({ status: 'queued' })
  await other.close()
  await expect(other.snapshot('a')).rejects.toMatchObject({ code: 'closed' })
  const later = memoryLog({ name: 'closed' })
  onTestFinished(() => later.close())
  expect(await later.snapshot('a')).toBeUndefined()
})

test.each(['', 5, null])('an invalid name is refused: %j', async (name) => {
  const { memoryLog } = await evaluate()
  expect(() => memoryLog({ name } as never)).toThrow(/^name: expected/) // as: what JavaScript lets through
})

test('of two servers with separate memory logs the second warns, once, and says how to share one', async () => {
  delete (globalThis as { [key: symbol]: unknown })[Symbol.for('jobtail.process')] // as: the registry, which other tests have filled
  const warn = vi.spyOn(console, 'warn').mockReturnValue()
  onTestFinished(() => warn.mockRestore())
  const basePath = '/twice'
  const only = (await evaluate()).createJobServer({ basePath })
  await only.close()
  serve(await evaluate(), { basePath })
  serve(await evaluate(), { basePath: '/elsewhere' })
  expect(warn).not.toHaveBeenCalled()
  serve(await evaluate(), { basePath })
  serve(await evaluate(), { basePath })
  expect(warn).toHaveBeenCalledTimes(1)
  expect(warn.mock.calls[0]?.[0]).toContain("memoryLog({ name: 'jobs' })")
})
