/** `<job-progress>` as pages treat it: made in any order, moved, changed, removed. What is left behind, and what it costs. */

import { expect, onTestFinished, test, vi } from 'vitest'
import { createStage } from '../stage.ts'
import { JobProgressElement, part, put, recordEvents, seen } from './page.ts'

/** Counts the timers and frames that are pending. */
function countTimers(): () => number {
  const pending = new Set<unknown>()
  const { setInterval, clearInterval, requestAnimationFrame, cancelAnimationFrame } = globalThis
  vi.stubGlobal('setInterval', (...args: Parameters<typeof setInterval>) => {
    const timer = setInterval(...args)
    pending.add(timer)
    return timer
  })
  vi.stubGlobal('clearInterval', (timer: number) => {
    pending.delete(timer)
    clearInterval(timer)
  })
  vi.stubGlobal('requestAnimationFrame', (callback: FrameRequestCallback) => {
    const frame = requestAnimationFrame((at) => {
      pending.delete(`frame ${frame}`)
      callback(at)
    })
    pending.add(`frame ${frame}`)
    return frame
  })
  vi.stubGlobal('cancelAnimationFrame', (frame: number) => {
    pending.delete(`frame ${frame}`)
    cancelAnimationFrame(frame)
  })
  onTestFinished(() => void vi.unstubAllGlobals())
  return () => pending.size
}

const task = (): Promise<void> => new Promise((resolve) => setTimeout(resolve))

test('the page shows its own <progress> until the script is there; then the element takes over', async () => {
  const stage = await createStage()
  const holder = put<HTMLElement>(`<div><later-progress job="42" url="${stage.url}"><progress value="3" max="4"></progress></later-progress></div>`)
  const element = holder.firstElementChild as JobProgressElement // as: it becomes one
  const fallback = element.querySelector('progress')
  expect(fallback?.checkVisibility()).toBe(true)
  Object.assign(element, { label: 'Set before', job: '43' })
  customElements.define('later-progress', class extends JobProgressElement {})
  await task()
  expect(fallback?.checkVisibility()).toBe(false)
  expect(seen(element)).toEqual({ label: 'Set before', value: '75%' })
  expect(element.getAttribute('job')).toBe('43')
  expect(element.getAttribute('value')).toBe('0.75')
  await stage.publish('43', 'progress', { ratio: 0.8 })
  await expect.poll(() => seen(element).value).toBe('80%')
})

test('what a server has rendered is shown until more is known', async () => {
  const stage = await createStage()
  const element = put(`<job-progress job="42" url="${stage.url}" value="0.4"></job-progress>`)
  await task()
  expect(seen(element)).toEqual({ value: '40%' })
  element.job = '43'
  await task()
  expect(seen(element)).toEqual({}) // that was the other one's
})

test('ten elements are one connection, and one read', async () => {
  const stage = await createStage()
  await stage.publish('42', 'started')
  const holder = put<HTMLElement>(`<div>${`<job-progress job="42" url="${stage.url}"></job-progress>`.repeat(10)}</div>`)
  await expect.poll(() => [...holder.children].every((each) => each.getAttribute('status') === 'running')).toBe(true)
  await stage.publish('42', 'progress', { ratio: 0.5 })
  await expect.poll(() => [...holder.children].every((each) => each.getAttribute('value') === '0.5')).toBe(true)
  const { open, arrived } = await stage.counts()
  expect({ open, websocket: arrived.websocket, snapshot: arrived.snapshot }).toEqual({ open: 1, websocket: 1, snapshot: 1 })
  expect(arrived.read).toBeLessThanOrEqual(1) // none, where the socket was there before it
})

test('moved a hundred times, within the page and out of it: nothing on the wire, and no event again', async () => {
  const stage = await createStage()
  const events = recordEvents()
  await stage.publish('42', 'started')
  const element = put(`<job-progress job="42" url="${stage.url}"></job-progress>`)
  const [one, other] = [put<HTMLElement>('<p></p>'), put<HTMLElement>('<p></p>')]
  await expect.poll(() => element.getAttribute('status')).toBe('running')
  for (let round = 0; round < 50; round += 1) {
    one.append(element)
    element.remove()
    other.append(element)
    if (round % 10 === 0) await Promise.resolve()
  }
  if ('moveBefore' in one) (one as unknown as { moveBefore(node: Node, before: null): void }).moveBefore(element, null) // as: it is new
  await stage.publish('42', 'succeeded')
  await expect.poll(() => events.map(({ type }) => type)).toEqual(['job-progress', 'job-done'])
  expect((await stage.counts()).arrived.websocket).toBe(1)
  one.append(element)
  await task()
  expect(events.map(({ type }) => type)).toEqual(['job-progress', 'job-done'])
})

test('removed: no connection, no timer, no event; put back: it goes on', async () => {
  const stage = await createStage()
  const pending = countTimers()
  const events = recordEvents()
  await stage.publish('42', 'progress', { ratio: 0.1 })
  const element = put(`<job-progress job="42" url="${stage.url}"></job-progress>`)
  const { parentElement } = element
  await expect.poll(() => seen(element).value).toBe('10%')
  expect(pending()).toBeGreaterThan(0)
  element.remove()
  expect(pending()).toBe(0)
  await expect.poll(async () => (await stage.counts()).open).toBe(0)
  const told = events.length
  await stage.publish('42', 'progress', { ratio: 0.2 })
  element.label = 'Still nothing'
  await task()
  expect([pending(), events.length]).toEqual([0, told])
  parentElement?.append(element)
  await expect.poll(() => seen(element)).toMatchObject({ label: 'Still nothing', value: '20%' })
  await stage.publish('42', 'succeeded')
  await expect.poll(() => events.at(-1)?.type).toBe('job-done')
  expect(pending()).toBe(0)
})

test('a hundred jobs, one after the other: the last is followed, and the others are left', async () => {
  const stage = await createStage()
  const events = recordEvents()
  await stage.publish('99', 'progress', { ratio: 0.5 })
  const element = put(`<job-progress url="${stage.url}"></job-progress>`)
  for (let job = 0; job < 100; job += 1) {
    element.job = `${job}`
    if (job % 3 === 0) await Promise.resolve()
    if (job % 10 === 0) await task()
  }
  await expect.poll(() => seen(element).value).toBe('50%')
  expect(new Set(events.map(({ detail }) => detail.job))).toEqual(new Set(['99']))
  await expect.poll(async () => (await stage.counts()).open).toBe(1)
  element.job = null
  await expect.poll(async () => (await stage.counts()).open).toBe(0)
  expect(seen(element)).toEqual({})
  expect([element.getAttribute('status'), element.hasAttribute('value')]).toEqual(['unknown', false])
})

test('another server', async () => {
  const [one, other] = [await createStage(), await createStage()]
  await one.publish('42', 'progress', { ratio: 0.1 })
  await other.publish('42', 'progress', { ratio: 0.9 })
  const element = put(`<job-progress job="42" url="${one.url}"></job-progress>`)
  await expect.poll(() => seen(element).value).toBe('10%')
  element.url = other.url
  await expect.poll(() => seen(element).value).toBe('90%')
  await expect.poll(async () => (await one.counts()).open).toBe(0)
})

test('swapped as htmx does, and put back out of a cache as Turbo does', async () => {
  const stage = await createStage()
  await stage.publish('42', 'progress', { ratio: 0.5 })
  await stage.publish('43', 'progress', { ratio: 0.7 })
  const holder = put<HTMLElement>(`<div><job-progress id="job" job="42" url="${stage.url}"></job-progress></div>`)
  const shown = (): string | undefined => seen(holder.firstElementChild as JobProgressElement).value // as: it has no other
  await expect.poll(shown).toBe('50%')
  const cached = holder.cloneNode(true) as HTMLElement // as: a clone is the same
  holder.innerHTML = `<job-progress id="job" job="43" url="${stage.url}"></job-progress>`
  await expect.poll(shown).toBe('70%')
  holder.replaceChildren(...cached.childNodes)
  await task()
  expect(shown()).toBe('50%')
  await stage.publish('42', 'progress', { ratio: 0.6 })
  await expect.poll(shown).toBe('60%')
  await expect.poll(async () => (await stage.counts()).open).toBe(1)
})

test('a thousand events a second: no more than one change for each frame', async () => {
  const stage = await createStage()
  await stage.publish('42', 'started')
  const events = recordEvents()
  const element = put(`<job-progress job="42" url="${stage.url}"></job-progress>`)
  await expect.poll(() => element.getAttribute('status')).toBe('running')
  let frames = 0
  let draws = 0
  const fill = part(element, 'fill')
  const observer = new MutationObserver(() => (draws += 1))
  observer.observe(fill, { attributes: true })
  let isOn = true
  const count = (): void => {
    frames += 1
    if (isOn) requestAnimationFrame(count)
  }
  requestAnimationFrame(count)
  const before = events.length
  expect(await stage.burst('42', { perSecond: 1000, ms: 1000 })).toBe(1000)
  await expect.poll(() => element.getAttribute('value')).toBe('0.999')
  isOn = false
  observer.disconnect()
  expect(draws).toBeGreaterThan(3)
  expect(draws).toBeLessThanOrEqual(frames + 2) // the timer's
  expect(events.length - before).toBeLessThanOrEqual(frames + 2)
})
