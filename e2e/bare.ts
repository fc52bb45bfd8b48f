/** Browsers without a driver. A driver makes the browser keep data for it, such as all that a page receives, which spoils measurements of memory. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findBrowser, launchOptions } from '../test/setup/browsers.ts'
import { type EngineName, startEngine } from './engines.ts'
import { startProcess } from './process.ts'

const FIREFOX_PREFERENCES = {
  'browser.shell.checkDefaultBrowser': false,
  'browser.aboutwelcome.enabled': false,
  'datareporting.policy.dataSubmissionEnabled': false,
  'datareporting.policy.firstRunURL': '',
  'toolkit.telemetry.server': '',
  'app.normandy.enabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'extensions.update.enabled': false,
  'browser.safebrowsing.update.enabled': false
}

/** Opens a page, without a driver. WebKit keeps its driver, which is not told of network traffic. `further`: more arguments for Chromium. */
export async function showPage(name: EngineName, url: string, further: readonly string[] = []): Promise<{ close(): Promise<void> }> {
  if (name === 'webkit') {
    const engine = await startEngine(name)
    await engine.open(url)
    return engine
  }
  const path = findBrowser(name)
  if (path === undefined) throw new Error(`no ${name} found`)
  const profile = mkdtempSync(join(tmpdir(), `jobtail-${name}-`))
  writeFileSync(
    join(profile, 'user.js'),
    Object.entries(FIREFOX_PREFERENCES)
      .map(([key, value]) => `user_pref('${key}', ${JSON.stringify(value)})\n`)
      .join('')
  )
  const args =
    name === 'firefox'
      ? ['--headless', '--no-remote', '--profile', profile, url]
      : ['--headless', `--user-data-dir=${profile}`, ...(launchOptions(name, path).args ?? []), ...further, url]
  const { child, stop } = startProcess(path, args)
  child.stdout?.resume()
  return {
    async close() {
      await stop()
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
    }
  }
}
