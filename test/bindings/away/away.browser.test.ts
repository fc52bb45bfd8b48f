/** `notifyAtEnd` where the platform has less, and where the application changes the title as well. The whole of it, in tabs that are really hidden: e2e. */

import { beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { notifyAtEnd } from '../../../src/away.ts'
import { createClient } from '../../../src/index.ts'
import { createStage } from '../stage.ts'

beforeEach(() => {
  const title = document.title
  document.title = 'Reports'
  const hidden = vi.spyOn(document, 'hidden', 'get').mockReturnValue(true)
  onTestFinished(() => {
    hidden.mockReturnValue(false)
    document.dispatchEvent(new Event('visibilitychange')) // what was shown is taken back
    hidden.mockRestore()
    vi.unstubAllGlobals()
    document.title = title
  })
})

function look(): void {
  vi.spyOn(document, 'hidden', 'get').mockReturnValue(false)
  document.dispatchEvent(new Event('visibilitychange'))
}

async function open() {
  const stage = await createStage()
  const client = createClient({ url: stage.url, memory: false, jobStorage: false })
  onTestFinished(() => client.close())
  return { stage, client }
}

test('without the API for notifications, or for numbers, the title tells', async () => {
  vi.stubGlobal('Notification', undefined)
  const { stage, client } = await open()
  await stage.publish('42', 'succeeded')
  notifyAtEnd(client.job('42'), ({ status }) => ({ title: `It has ${status}` }))
  await expect.poll(() => document.title).toBe('It has succeeded')
  look()
  expect(document.title).toBe('Reports')
})

test.each(['denied', 'default'])('where the permission is %s nothing is shown, and nobody is asked outside of a click', async (permission) => {
  const shown = vi.fn()
  const asked = vi.fn(() => Promise.resolve(permission))
  vi.stubGlobal(
    'Notification',
    Object.assign(
      class {
        constructor() {
          shown()
        }
      },
      { permission, requestPermission: asked }
    )
  )
  const activation = vi.spyOn(navigator, 'userActivation', 'get').mockReturnValue({ isActive: false, hasBeenActive: true })
  onTestFinished(() => activation.mockRestore())
  const { stage, client } = await open()
  await stage.publish('42', 'failed', { code: 'x', message: 'x' })
  notifyAtEnd(client.job('42'), ({ status }) => ({ title: `It has ${status}` }))
  await expect.poll(() => document.title).toBe('It has failed')
  expect([shown.mock.calls.length, asked.mock.calls.length]).toEqual([0, 0])
})

test('a title that the application has set meanwhile stays', async () => {
  const { stage, client } = await open()
  await stage.publish('1', 'succeeded')
  notifyAtEnd(client.job('1'), () => ({ title: 'The first is ready' }))
  await expect.poll(() => document.title).toBe('The first is ready')
  document.title = '50% Reports' // such as the progress of another job
  await stage.publish('2', 'succeeded')
  notifyAtEnd(client.job('2'), () => ({ title: 'The second is ready' }))
  await expect.poll(() => document.title).toBe('The second is ready')
  look()
  expect(document.title).toBe('50% Reports')
  vi.spyOn(document, 'hidden', 'get').mockReturnValue(true)
  await stage.publish('3', 'succeeded')
  notifyAtEnd(client.job('3'), () => ({ title: 'The third is ready' }))
  await expect.poll(() => document.title).toBe('The third is ready')
  document.title = 'Another page'
  look()
  expect(document.title).toBe('Another page')
})

test('two jobs that end one after the other: the title is what it was before both', async () => {
  const { stage, client } = await open()
  for (const id of ['1', '2']) {
    await stage.publish(id, 'succeeded')
    notifyAtEnd(client.job(id), () => ({ title: `${id} is ready` }))
    await expect.poll(() => document.title).toBe(`${id} is ready`)
  }
  look()
  expect(document.title).toBe('Reports')
})

test('a job that cannot be followed, and one that is left, tell nothing', async () => {
  const { stage, client } = await open()
  const message = vi.fn(() => ({ title: 'Ended' }))
  await stage.publish('42', 'started')
  const leave = notifyAtEnd(client.job('42'), message)
  await expect.poll(() => client.job('42').state.connection.phase).toBe('live')
  leave()
  await stage.publish('42', 'succeeded')
  const other = createClient({ url: stage.url, memory: false, jobStorage: false, unknownJobGraceMs: 0 })
  onTestFinished(() => other.close())
  notifyAtEnd(other.job('nobody'), message)
  await expect.poll(() => other.job('nobody').state.error).toMatchObject({ code: 'unknown-job' })
  expect([message.mock.calls.length, document.title]).toEqual([0, 'Reports'])
})
