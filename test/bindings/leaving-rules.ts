/** The rules about what a component leaves, and what it changes later. */

import { expect } from 'vitest'
import type { Faults } from '../../demo/proxy.ts'
import type { JobState } from '../../src/index.ts'
import { watchPage } from './page-resources.ts'
import type { Rule } from './rules.ts'

const both = (opening: Faults['http']): Partial<Faults> => ({ webSocket: opening, http: opening, stalled: false })

/** In which phase of a connection a component is unmounted, what the network has to do for it, and whether the states shown have reached it. */
const phases: readonly [name: string, faults: Partial<Faults>, isReached: (states: readonly JobState[], open: number) => boolean][] = [
  ['at once', both('pass'), () => true],
  ['connecting', { stalled: true }, (_, open) => open > 0],
  ['waiting', both('refuse'), (states) => states.some(({ connection }) => connection.phase === 'waiting')],
  ['live', both('pass'), (states) => states.at(-1)?.connection.phase === 'live' && states.at(-1)?.progress !== undefined],
  ['at the end', both('pass'), (states) => states.at(-1)?.status === 'succeeded']
]

const frame = (): Promise<number> => new Promise((resolve) => requestAnimationFrame(resolve))

export const leavingRules: readonly Rule[] = [
  [
    'unmounted in any phase it leaves nothing, and changes nothing later',
    async ({ stage, shown, mount }) => {
      const leftovers = watchPage()
      // What the framework itself leaves, such as a listener for every click of the document.
      ;(await mount({ id: null })).unmount()
      await expect.poll(leftovers).toMatchObject({ timers: 0, frames: 0 })
      const before = leftovers()
      await stage.publish('42', 'progress', { ratio: 0.1 })
      for (const [name, faults, isReached] of phases) {
        await stage.set(faults)
        const told: string[] = []
        const from = shown.length
        const card = await mount({ limit: 10, onEvent: ({ type }) => told.push(type), onEnd: ({ status }) => told.push(status) })
        if (name === 'at the end') await stage.publish('42', 'succeeded')
        await expect.poll(async () => isReached(shown.slice(from), (await stage.counts()).open), { message: name }).toBe(true)
        await frame()
        card.unmount()
        const counts = [shown.length, told.length]
        await stage.set({ stalled: false }) // what was asked is answered now
        await expect.poll(async () => (await stage.counts()).open, { message: name }).toBe(0)
        if (name !== 'at the end') await stage.publish('42', 'log', { level: 'info', message: name })
        await frame()
        await frame()
        expect([shown.length, told.length], name).toEqual(counts)
        await expect.poll(leftovers, { message: name }).toEqual(before)
      }
    }
  ],
  [
    'leaving is not stopping, and stopping works after a reload',
    async ({ stage, texts, press, started, known, client, mount }) => {
      const starting = await mount({ id: null, input: { report: 'yearly' } })
      press('Start')
      press('Start')
      await expect.poll(started).not.toMatch(/^$|starting/)
      const id = started()
      expect((await stage.counts()).arrived.start).toBe(1)
      await expect.poll(known).toBe(id)
      starting.unmount()
      expect(await client.job(id).state).toMatchObject({ status: 'unknown' })
      const ends: string[] = []
      await mount({ id, onEnd: ({ status }) => ends.push(status) })
      await expect.poll(texts).toEqual(['running -'])
      await expect.poll(known).toBe(id)
      press('Cancel')
      await expect.poll(texts).toEqual(['cancelled -'])
      await expect.poll(() => ends).toEqual(['cancelled'])
      await expect.poll(known).toBe('')
    }
  ],
  [
    'a job that can’t be started says why',
    async ({ press, started, mount }) => {
      await mount({ id: null, input: 1n })
      press('Start')
      await expect.poll(started).toMatch(/JSON/)
    }
  ],
  [
    'renders at most once per animation frame, at a thousand events a second',
    async ({ stage, texts, mount }) => {
      await stage.publish('42', 'progress', { ratio: 0 })
      const renders = new Map<unknown, number>()
      let events = 0
      const show = ({ progress }: JobState): string => {
        const { currentTime } = document.timeline // the same for all of one frame
        renders.set(currentTime, (renders.get(currentTime) ?? 0) + 1)
        return `${progress?.ratio}`
      }
      await mount({ show, limit: 10, onEvent: () => (events += 1) })
      await expect.poll(texts).toEqual(['0'])
      renders.clear()
      const made = await stage.burst('42', { perSecond: 1000, ms: 1000 })
      await expect.poll(() => events).toBe(made + 1)
      await expect.poll(texts).toEqual([`${(made - 1) / made}`])
      expect(Math.max(...renders.values())).toBe(1)
      expect(renders.size).toBeLessThan(made / 4)
    }
  ],
  [
    'lists the latest events, of one job at a time',
    async ({ stage, listed, mount }) => {
      for (let event = 0; event < 5; event += 1) await stage.publish('42', 'log', { level: 'info', message: `${event}` })
      await stage.publish('43', 'log', { level: 'info', message: 'other' })
      const card = await mount({ limit: 3 })
      await expect.poll(listed).toBe('3 4 5')
      await stage.publish('42', 'log', { level: 'info', message: 'more' })
      await expect.poll(listed).toBe('4 5 6')
      await card.set({ id: '43' })
      await expect.poll(listed).toBe('1')
      await card.set({ id: null })
      expect(listed()).toBe('')
    }
  ],
  [
    'a limit that is none says so',
    async ({ mount }) => {
      await expect(mount({ limit: 0.5 })).rejects.toMatchObject({
        code: 'bad-request',
        message: expect.stringMatching(/^limit: expected a number from 1, got 0.5/)
      })
    }
  ],
  [
    'the first render shows `initial`, whatever the network does',
    async ({ stage, shown, texts, mount }) => {
      await stage.set(both('unanswered'))
      await mount({ initial: { id: '42', status: 'running', epoch: 'e', seq: 3, cursor: 'e-3', progress: { ratio: 0.3 } } })
      expect(texts()).toEqual(['running 0.3'])
      expect(shown.some(({ status }) => status === 'unknown')).toBe(false)
    }
  ]
]
