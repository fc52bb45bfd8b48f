/** `npm run docs:picture`: breaks the demo's network in a browser, and takes README's picture of what becomes of the job, light and dark. */

import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type Browser, chromium, type Locator, type Page } from 'playwright'
import { findBrowser, launchOptions } from '../test/setup/browsers.ts'
import { startDemo } from './server.ts'

const folder = join(import.meta.dirname, '../docs/public')
const MARGIN = 16
/** How far the job is at each press of the button, and in the picture. */
const PRESS_AT = [0.2, 0.4]
const SHOOT_AT = 0.75

/** Resolves once the job that the page began with is so far. */
async function reaches(page: Page, ratio: number): Promise<void> {
  await page.waitForFunction((least) => {
    const events = window.demo.events(window.demo.jobIds[0] ?? '')
    return events.some(({ type, data }) => type === 'progress' && (data.ratio ?? 0) >= least)
  }, ratio)
}

/** The part of the page with the job and the button. */
async function clipOf(parts: readonly Locator[]): Promise<{ x: number; y: number; width: number; height: number }> {
  const boxes = (await Promise.all(parts.map((part) => part.boundingBox()))).filter((box) => box !== null)
  const [x, y] = [Math.min(...boxes.map((box) => box.x)) - MARGIN, Math.min(...boxes.map((box) => box.y)) - MARGIN]
  const right = Math.max(...boxes.map((box) => box.x + box.width)) + MARGIN
  const bottom = Math.max(...boxes.map((box) => box.y + box.height)) + MARGIN
  return { x, y, width: right - x, height: bottom - y }
}

async function shoot(browser: Browser, url: string, colorScheme: 'light' | 'dark'): Promise<void> {
  const context = await browser.newContext({ colorScheme, reducedMotion: 'reduce', deviceScaleFactor: 1.5, viewport: { width: 1000, height: 900 } })
  context.setDefaultTimeout(120_000)
  const page = await context.newPage()
  await page.goto(url)
  const button = page.getByRole('button', { name: /^break/i }).first()
  for (const ratio of PRESS_AT) {
    await reaches(page, ratio)
    await button.click()
  }
  await reaches(page, SHOOT_AT)
  await page.mouse.move(0, 0)
  const regions = page.getByRole('region')
  const control = regions.filter({ has: page.getByRole('button', { name: /break|server|mend/i }) }).first()
  const race = regions.filter({ has: page.getByRole('progressbar') }).first()
  const path = join(folder, `demo-${colorScheme}.png`)
  await page.screenshot({ path, clip: await clipOf([race, control]) })
  console.log(path)
  await context.close()
}

const path = findBrowser('chromium')
if (path === undefined) throw new Error('no Chromium found: install it, or say where it is in CHROMIUM_PATH')
await mkdir(folder, { recursive: true })
const demo = await startDemo({ port: 0, host: '127.0.0.1' })
const browser = await chromium.launch(launchOptions('chromium', path))
try {
  for (const scheme of ['light', 'dark'] as const) await shoot(browser, demo.url, scheme)
} finally {
  await browser.close()
  await demo.close()
}
