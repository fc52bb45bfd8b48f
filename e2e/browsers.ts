import { type Browser, chromium, firefox } from 'playwright'
import { type BrowserName, findBrowser, launchOptions } from '../test/setup/browsers.ts'

export const browserNames: readonly BrowserName[] = ['chromium', 'firefox']

export const isInstalled = (name: BrowserName): boolean => findBrowser(name) !== undefined

/** Launches an installed browser. Firefox gets the preference for reduced motion; for Chromium a context has to set it. */
export async function launchBrowser(name: BrowserName): Promise<Browser> {
  const path = findBrowser(name)
  if (path === undefined) throw new Error(`no ${name} found`)
  const type = name === 'chromium' ? chromium : firefox
  return type.launch({ ...launchOptions(name, path), firefoxUserPrefs: { 'ui.prefersReducedMotion': 1 }, timeout: 60_000 })
}
