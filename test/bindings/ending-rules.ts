/** The rules about callbacks: what they may do, and what becomes of them at a job's end. */

import { expect, onTestFinished, vi } from 'vitest'
import type { Mounted } from './card.ts'
import type { Rule } from './rules.ts'

const frames = (): Promise<unknown> => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))

export const endingRules: readonly Rule[] = [
  [
    'onEnd may unmount its component, of a job that ends and of one that had ended before',
    async ({ stage, client, shown, texts, mount }) => {
      for (const isOver of [false, true])
        for (const onEvent of [undefined, () => {}]) {
          const id = `${typeof onEvent} job`
          if (!isOver) await stage.publish(id, 'started')
          else expect(client.job(id).state.status).toBe('succeeded')
          let ends = 0
          const mounting = mount({
            id,
            onEvent,
            onEnd() {
              ends += 1
              void mounting.then(({ unmount }) => unmount())
            }
          })
          await mounting
          if (!isOver) {
            await expect.poll(texts).toEqual(['running -'])
            await stage.publish(id, 'succeeded')
          }
          await expect.poll(texts).toEqual([])
          const { length } = shown
          await frames()
          expect([texts(), ends, shown.length]).toEqual([[], 1, length])
        }
      await expect.poll(async () => (await stage.counts()).open).toBe(0)
    }
  ],
  [
    'disabled until the job has ended: events and end are told then, and once',
    async ({ stage, client, texts, mount }) => {
      await stage.publish('42', 'started')
      const told: string[] = []
      const card = await mount({ enabled: false, onEvent: ({ type }) => told.push(type), onEnd: ({ status }) => told.push(`end ${status}`) })
      const leave = client.job('42').subscribe(() => {})
      await stage.publish('42', 'succeeded')
      await expect.poll(() => client.job('42').state.status).toBe('succeeded')
      leave()
      expect([texts(), told]).toEqual([['unknown -'], []])
      for (const enabled of [true, false, true]) await card.set({ enabled })
      await expect.poll(texts).toEqual(['succeeded -'])
      await expect.poll(() => told).toEqual(['started', 'succeeded', 'end succeeded'])
    }
  ],
  [
    'what a callback throws is reported, and the next one is called',
    async ({ stage, texts, mount }) => {
      const told: string[] = []
      const reported = vi.spyOn(globalThis, 'reportError').mockImplementation(() => {})
      onTestFinished(() => reported.mockRestore())
      const fail = (what: string): never => {
        told.push(what)
        throw new Error(what)
      }
      await stage.publish('42', 'started')
      await mount({ onEvent: ({ type }) => fail(type), onEnd: ({ status }) => fail(`end ${status}`) })
      await expect.poll(texts).toEqual(['running -'])
      await stage.publish('42', 'succeeded')
      await expect.poll(texts).toEqual(['succeeded -'])
      await expect.poll(() => told).toEqual(['started', 'succeeded', 'end succeeded'])
      expect(reported.mock.calls.map(([error]) => (error as Error).message)).toEqual(told)
    }
  ],
  [
    'onEvent may change the component: its id, and whether it is enabled',
    async ({ stage, texts, mount }) => {
      for (const id of ['1', '2', '3']) await stage.publish(id, 'progress', { ratio: Number(id) / 10 })
      const told: string[] = []
      const card: Mounted = await mount({
        id: '1',
        onEvent({ job }) {
          told.push(job)
          if (Number(job) < 3) void card.set({ id: `${Number(job) + 1}` })
          else void card.set({ enabled: false })
        }
      })
      await expect.poll(() => told).toEqual(['1', '2', '3'])
      await expect.poll(texts).toEqual(['unknown -'])
      await expect.poll(async () => (await stage.counts()).open).toBe(0)
    }
  ],
  [
    'a hundred cards of one job cost one connection, and each is told the end once',
    async ({ stage, texts, mount }) => {
      await stage.publish('42', 'progress', { ratio: 0.1 })
      let ends = 0
      const cards = await mount({ cards: 100, onEnd: () => (ends += 1) })
      await expect.poll(() => new Set(texts())).toEqual(new Set(['running 0.1']))
      expect(await stage.counts()).toMatchObject({ open: 1, arrived: { websocket: 1, snapshot: 1 } })
      await stage.publish('42', 'succeeded')
      await expect.poll(() => ends).toBe(100)
      expect(texts()).toHaveLength(100)
      await cards.set({ cards: 0 })
      await expect.poll(async () => (await stage.counts()).open).toBe(0)
    }
  ]
]
