/** The recipe of docs/guides/away.md in tabs of Chromium that are really hidden. */

import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { serveModule } from '../demo/modules.ts'
import { createJobServer } from '../src/server/index.ts'
import { read } from '../test/docs/documents.ts'
import { textOf } from '../test/docs/guide-programs.ts'
import { findBrowser } from '../test/setup/browsers.ts'
import { type ChromiumTab, type ChromiumTabs, startChromiumTabs } from './chromium-tabs.ts'

/** The machine may be busy. */
const patiently = { timeout: 20_000 }

const recipe = textOf(read('docs/guides/away.md').blocks.find(({ marks }) => marks.run === 'away') ?? { code: [] })

/** The page, which records what it shows: notifications and whether they are closed, numbers on the icon, and questions for the permission. */
const PAGE = `<!doctype html><title>Reports</title><button id="start" style="position: fixed; inset: 0">Start</button>
<script>
  Object.assign(window, { notes: [], badges: [], asked: 0 })
  window.Notification = class extends Notification {
    constructor(title, options) {
      super(title, options)
      const note = { title, body: options.body, tag: options.tag, isClosed: false }
      notes.push(note)
      this.addEventListener('close', () => (note.isClosed = true))
    }
    static requestPermission() {
      asked += 1
      return super.requestPermission()
    }
  }
  navigator.setAppBadge = async (count) => void badges.push(count)
  navigator.clearAppBadge = async () => void badges.push(0)
</script>
<script type="importmap">{"imports": {"jobtail": "/src/index.ts", "jobtail/away": "/src/away.ts", "eventsource-parser": "/node_modules/eventsource-parser/dist/index.js", "idb-keyval": "/node_modules/idb-keyval/dist/index.js"}}</script>
<script type="module">${recipe}
window.isReady = true</script>`

describe.skipIf(!findBrowser('chromium'))('a page that is hidden when its job ends', () => {
  const running: ((result: string) => void)[] = []
  const jobs = createJobServer({ authorize: () => true, start: () => new Promise((resolve) => running.push(resolve)) })
  const server = http.createServer((req, res) => {
    if (req.url === '/') res.writeHead(200, { 'content-type': 'text/html' }).end(PAGE)
    else if (req.url?.startsWith('/src/') || req.url?.startsWith('/node_modules/')) void serveModule(req, res)
    else if (!req.url?.startsWith('/jobs')) res.writeHead(404).end()
  })
  let tabs: ChromiumTabs
  let url: string
  beforeAll(async () => {
    jobs.attach(server)
    await once(server.listen(0, '127.0.0.1'), 'listening')
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/` // as: it listens on TCP
    tabs = await startChromiumTabs()
  })
  afterAll(async () => {
    await tabs.close()
    await jobs.close({ graceMs: 0 })
    server.closeAllConnections()
    server.close()
  })

  const shown = (tab: ChromiumTab): Promise<object> => tab.evaluate('({ title: document.title, notes, badges, asked, isHidden: document.hidden })')

  /** Opens the page, answers the question for the permission, and clicks: resolves when the job runs. */
  async function begin(setting: 'granted' | 'prompt' | 'denied'): Promise<ChromiumTab> {
    const tab = await tabs.open(url)
    await tab.send('Browser.setPermission', { origin: url, permission: { name: 'notifications' }, setting })
    await expect.poll(() => tab.evaluate('window.isReady'), patiently).toBe(true)
    const count = running.length
    const at = { x: 50, y: 50, button: 'left', clickCount: 1 }
    for (const type of ['mousePressed', 'mouseReleased']) await tab.send('Input.dispatchMouseEvent', { type, ...at })
    await expect.poll(() => running.length, patiently).toBe(count + 1)
    return tab
  }

  test('is told by notification, title and badge, which are gone when the page is seen', async () => {
    const tab = await begin('granted')
    const front = await tabs.open('about:blank')
    await expect.poll(() => shown(tab), patiently).toMatchObject({ isHidden: true, title: 'Reports', notes: [], badges: [] })
    running.at(-1)?.('done')
    const note = { title: 'Your report is ready', body: 'Yearly report', tag: expect.stringMatching(/^jobtail ./) }
    await expect.poll(() => shown(tab), patiently).toMatchObject({ title: 'Your report is ready', notes: [{ ...note, isClosed: false }], badges: [1] })
    await tab.activate()
    await expect
      .poll(() => shown(tab), patiently)
      .toMatchObject({ isHidden: false, title: 'Reports', notes: [{ ...note, isClosed: true }], badges: [1, 0], asked: 0 })
    await Promise.all([tab.close(), front.close()])
  })

  test('nothing is told where the page is seen', async () => {
    const tab = await begin('granted')
    running.at(-1)?.('done')
    await expect.poll(() => tab.evaluate(`import('/src/index.ts').then(({ sharedClient }) => sharedClient().jobs().state.length)`), patiently).toBe(0)
    expect(await shown(tab)).toEqual({ isHidden: false, title: 'Reports', notes: [], badges: [], asked: 0 })
    await tab.close()
  })

  test('the permission is asked for at the click, and without it title and badge tell alone', async () => {
    const tab = await begin('prompt')
    await expect.poll(() => shown(tab), patiently).toMatchObject({ asked: 1 })
    const front = await tabs.open('about:blank')
    await expect.poll(() => shown(tab), patiently).toMatchObject({ isHidden: true })
    running.at(-1)?.('done')
    await expect.poll(() => shown(tab), patiently).toMatchObject({ title: 'Your report is ready', notes: [], badges: [1] })
    await Promise.all([tab.close(), front.close()])
  })
})
