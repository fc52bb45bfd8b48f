/** React on Vite's dev server: the examples of docs/start/react.md as they stand. */

import type { Browser } from 'playwright'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { read } from '../test/docs/documents.ts'
import { textOf } from '../test/docs/guide-programs.ts'
import { isInstalled, launchBrowser } from './browsers.ts'
import { openPage } from './dev-page.ts'
import { serveReact } from './react-page.ts'

const patiently = { timeout: 20_000 }

function block(name: string): string {
  const found = read('docs/start/react.md').blocks.find(({ marks }) => marks.run === name)
  if (!found) throw new Error(`docs/start/react.md has no block with <!-- run: ${name} -->`)
  return textOf(found)
}

/** Mounts what `jsx` shows, in StrictMode. */
const mainOf = (jsx: string, names: string): string => `
  import { StrictMode } from 'react'
  import { createRoot } from 'react-dom/client'
  import { ${names} } from './card.tsx'
  createRoot(document.querySelector('main')).render(<StrictMode>${jsx}</StrictMode>)`

describe.skipIf(!isInstalled('chromium'))('in Chromium', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launchBrowser('chromium')
  })
  afterAll(() => browser.close())

  test('the shortest component of the page shows a job to its end', async () => {
    await using served = await serveReact({ 'main.tsx': mainOf('<JobProgress id="42" />', 'JobProgress'), 'card.tsx': block('react-shortest') })
    await served.stage.publish('42', 'progress', { ratio: 0.5 })
    const { page, complaints } = await openPage(browser, served.url)
    const main = page.locator('main')
    await expect.poll(() => main.textContent(), patiently).toContain('running')
    expect(await page.getByRole('progressbar').getAttribute('value')).toBe('0.5')
    await served.stage.publish('42', 'succeeded', null)
    await expect.poll(() => main.textContent(), patiently).toContain('succeeded')
    expect(complaints).toEqual([])
    await page.close()
  })

  test('the button of the page starts a job, shows it, and cancels it', async () => {
    await using served = await serveReact({ 'main.tsx': mainOf('<Report />', 'Report'), 'card.tsx': block('react-start') })
    const { page, complaints } = await openPage(browser, served.url)
    const press = (name: string): Promise<void> => page.getByRole('button', { name }).click()
    await press('Make the report')
    await page.getByText('running').waitFor()
    await press('Cancel')
    await page.getByText(/cancelled/).waitFor()
    expect(await page.getByRole('button', { name: 'Cancel' }).count()).toBe(0)
    expect(served.stage.counts().arrived).toMatchObject({ start: 1, cancel: 1 })
    expect(complaints).toEqual([])
    await page.close()
  })
})
