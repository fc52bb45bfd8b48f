/** What a user does with the panel: opens, moves, pauses, and copies a report. */

import { expect, onTestFinished, test, vi } from 'vitest'
import { userEvent } from 'vitest/browser'
import { VERSION } from '../../../src/devtools/report.ts'
import type { Client } from '../../../src/index.ts'
import { createStage } from '../stage.ts'
import { connect, type Mounted, mount } from './mounted.ts'

const isOpen = ({ root }: Mounted): boolean => root.querySelector<HTMLElement>('.body')?.hidden === false
const corner = ({ root }: Mounted): string | undefined => root.querySelector('.box')?.className
const again = (panel: Mounted): Mounted => {
  panel.element.remove()
  return mount()
}

/** Follows a job that fails, with a secret wherever one can be. */
async function followToItsEnd(): Promise<{ client: Client; url: string }> {
  const stage = await createStage()
  const client = connect({
    url: `${stage.url}?key=secret-in-url`,
    token: () => 'secret-token',
    headers: { authorization: 'secret-header' },
    identity: 'secret-user',
    jobStorage: false
  })
  await stage.publish('42', 'progress', { ratio: 0.5, stage: 'private-stage' })
  await stage.publish('42', 'failed', { code: 'private-code', message: 'private-message' })
  const seen: string[] = []
  for await (const event of client.subscribe('42')) seen.push(event.type)
  expect(seen).toEqual(['progress', 'failed'])
  return { client, url: stage.url }
}

test('is collapsed until it is opened, by keyboard too, and remembers where it is for the session', async () => {
  const panel = mount()
  expect([isOpen(panel), corner(panel)]).toEqual([false, 'box bottom-right'])
  expect(panel.button('Jobtail').getAttribute('aria-expanded')).toBe('false')
  panel.button('Jobtail').focus()
  await userEvent.keyboard('{Enter}')
  expect([isOpen(panel), panel.button('Jobtail').getAttribute('aria-expanded')]).toEqual([true, 'true'])
  panel.button('Move').focus()
  const visited: (string | undefined)[] = []
  for (let count = 0; count < 5; count++) {
    await userEvent.keyboard(' ')
    visited.push(corner(panel))
  }
  expect(visited).toEqual(['box bottom-left', 'box top-left', 'box top-right', 'box bottom-right', 'box bottom-left'])
  const next = again(panel)
  expect([isOpen(next), corner(next)]).toEqual([true, 'box bottom-left'])
  next.button('Jobtail').click()
  expect(isOpen(again(next))).toBe(false)
})

test.each(['', '{', 'ajar middle', 'open'])('begins as usual where the session has kept %s', (kept) => {
  sessionStorage.setItem('jobtail-devtools', kept)
  const panel = mount('open')
  expect([isOpen(panel), corner(panel)]).toEqual([true, 'box bottom-right'])
})

test('works where the page may not store anything', () => {
  const denied = vi.spyOn(globalThis, 'sessionStorage', 'get').mockImplementation(() => {
    throw new DOMException('denied', 'SecurityError')
  })
  onTestFinished(() => denied.mockRestore())
  const panel = mount()
  panel.button('Jobtail').click()
  expect(isOpen(panel)).toBe(true)
  denied.mockRestore()
})

test('is nothing to the page: no layout, no keys, no clicks', async () => {
  const before = document.documentElement.scrollHeight
  const panel = mount('open')
  expect(document.documentElement.scrollHeight).toBe(before)
  const reached = vi.fn()
  for (const type of ['keydown', 'click', 'pointerdown']) {
    document.addEventListener(type, reached)
    onTestFinished(() => document.removeEventListener(type, reached))
  }
  panel.button('Pause').focus()
  await userEvent.keyboard('{Enter}')
  expect(panel.button('Pause').getAttribute('aria-pressed')).toBe('true')
  expect(reached).not.toHaveBeenCalled()
})

test('inline it stands in the page, open, and cannot be collapsed or moved', () => {
  const panel = mount('inline')
  expect(isOpen(panel)).toBe(true)
  expect(() => panel.button('Jobtail')).toThrow('there is no button')
  expect(panel.element.getBoundingClientRect().height).toBeGreaterThan(200)
  expect(sessionStorage.length).toBe(0)
})

test('the time stands still while it is paused, and more or less of it is shown', async () => {
  const panel = mount('open')
  await followToItsEnd()
  await expect.poll(() => panel.text()).toContain('job 42 ended: failed')
  panel.button('Pause').click()
  panel.element.mark('click', 'You clicked.')
  await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))
  expect(panel.text()).not.toContain('You clicked.')
  panel.button('Pause').click()
  await expect.poll(() => panel.text()).toContain('You clicked.')
  expect([...panel.root.querySelectorAll('.mark text')].map(({ textContent }) => textContent)).toContain('click')
  panel.button('Show more time').click()
  await expect.poll(() => panel.root.querySelector('svg')?.textContent).toMatch(/−(40|60) s/)
})

test('a bar says what it was when it is touched', async () => {
  const panel = mount('open')
  await followToItsEnd()
  await expect.poll(() => panel.root.querySelector('.bars rect')).not.toBeNull()
  panel.root.querySelector('.bars rect')?.dispatchEvent(new MouseEvent('click'))
  expect(panel.root.querySelector('.words')?.textContent).toMatch(/^websocket |^trying websocket/)
})

test('the report has versions, settings, jobs and diagnostics with times, but no credential, and data only if asked for', async () => {
  const panel = mount()
  history.replaceState(null, '', `${location.pathname}${location.search}#secret-fragment`)
  onTestFinished(() => history.replaceState(null, '', location.pathname + location.search))
  const { url } = await followToItsEnd()
  panel.element.mark('click', 'You clicked.')
  const report = panel.element.report()
  expect(report).toContain(`Jobtail ${VERSION}, 20`)
  expect(report).toContain(navigator.userAgent)
  expect(report).toContain(`Page: ${location.origin}${location.pathname}, visible, online`)
  expect(report).toContain(`url: ${url}\n`)
  expect(report).toContain('token: a function, not shown\n')
  expect(report).toContain('retry: baseMs 1, maxMs 200, attempts Infinity\n')
  expect(report).toMatch(
    /client 1, job 42: failed; 50 %; 2 events \(1 progress, 1 failed\); \d a second; last event id \S+; 0 gaps \(0 events\); connection closed; JobFailedError\n/
  )
  expect(report).toMatch(/\n\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z client 1, race 1: trying websocket\n/)
  expect(report).toMatch(/Z the application: You clicked\.\n/)
  expect(report).not.toMatch(/secret|private/)
  const withData = panel.element.report({ data: true })
  expect(withData).toContain('"error":"private-message"')
  expect(withData).toContain('"stage":"private-stage"')
  expect(withData).not.toContain('secret')
})

test('a long report has the latest, says what is left out, and fits a comment', async () => {
  const panel = mount()
  await followToItsEnd()
  for (let count = 0; count < 1500; count++) panel.element.mark('click', `click ${count} ${'`'.repeat(50)}`)
  const report = panel.element.report()
  expect(report.length).toBeLessThan(60_000)
  expect(report).toContain(`click 1499 ${"'".repeat(48)}`)
  const left = Number(/### What happened, without the first (\d+)/.exec(report)?.[1])
  expect(left).toBeGreaterThan(500)
  expect(report.match(/^```/gm)).toHaveLength(6)
})

test('where the clipboard is denied, the text to copy is shown and selected', async () => {
  const panel = mount('open')
  await followToItsEnd()
  const writeText = vi.spyOn(navigator.clipboard, 'writeText').mockRejectedValueOnce(new DOMException('denied', 'NotAllowedError')).mockResolvedValueOnce()
  onTestFinished(() => writeText.mockRestore())
  panel.button('Copy report').click()
  const text = panel.root.querySelector('textarea')
  const status = (): string | undefined => panel.root.querySelector('[role=status]')?.textContent
  await expect.poll(status).toBe('The browser denies the clipboard. Copy the text below.')
  expect(text?.value).toContain('## Jobtail report')
  expect(panel.root.activeElement).toBe(text)
  expect(text?.selectionEnd).toBe(text?.value.length)
  panel.button('Close').click()
  expect(panel.root.activeElement).toBe(panel.button('Copy report'))
  panel.root.querySelector<HTMLInputElement>('.report input')?.click()
  panel.button('Copy report').click()
  await expect.poll(status).toBe('The report is in the clipboard.')
  expect(text?.checkVisibility()).toBe(false)
  expect(writeText.mock.calls[1]?.[0]).toContain('private-message')
})
