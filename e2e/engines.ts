/** The three browser engines behind one small interface, so that a test is written once. */

import { type Browser, chromium, firefox } from 'playwright'
import { type BrowserName, findBrowser, launchOptions } from '../test/setup/browsers.ts'
import { findWebKit } from '../test/setup/webkit.ts'
import { startWebKit } from './webkit.ts'

export type EngineName = BrowserName | 'webkit'

export const engineNames: readonly EngineName[] = ['chromium', 'firefox', 'webkit']

/** A running browser. */
export interface Engine {
  readonly name: EngineName
  readonly version: string
  /** Opens a visible page and resolves when it has loaded. In Chromium and Firefox it shares no storage with other pages. */
  open(url: string): Promise<Tab>
  close(): Promise<void>
}

/** One page. The back/forward cache works as it does for users, if the engine has one. */
export interface Tab {
  /** Resolves when the page has loaded. */
  goto(url: string): Promise<void>
  /** Starts to go back in history, without waiting. The page may be restored from the cache or loaded again. */
  back(): Promise<void>
  /** Evaluates an expression in the page, awaits it there, and returns its value, which has to be JSON. */
  evaluate<T>(expression: string): Promise<T>
  close(): Promise<void>
}

/** The engines that are installed here. */
export const installedEngines = (): EngineName[] => engineNames.filter((name) => (name === 'webkit' ? findWebKit() : findBrowser(name)) !== undefined)

export const startEngine = (name: EngineName): Promise<Engine> => (name === 'webkit' ? startWebKit() : startPlaywright(name))

async function startPlaywright(name: BrowserName): Promise<Engine> {
  const path = findBrowser(name)
  if (path === undefined) throw new Error(`no ${name} found`)
  const type = name === 'chromium' ? chromium : firefox
  const browser = await type.launch({ ...launchOptions(name, path), ignoreDefaultArgs: ['--disable-back-forward-cache'], timeout: 60_000 })
  return {
    name,
    version: browser.version(),
    open: (url) => openTab(browser, url),
    close: () => browser.close()
  }
}

async function openTab(browser: Browser, url: string): Promise<Tab> {
  const context = await browser.newContext()
  const page = await context.newPage()
  await page.goto(url)
  return {
    async goto(address) {
      await page.goto(address)
    },
    async back() {
      // Not `goBack()`: in Firefox it waits for ever for the `load` of a page that was restored from the cache.
      await page.evaluate('setTimeout(() => history.back())')
    },
    evaluate: <T>(expression: string): Promise<T> => page.evaluate<T>(`(async () => (${expression}))()`),
    close: () => context.close()
  }
}
