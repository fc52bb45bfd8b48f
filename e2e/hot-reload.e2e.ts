/** Components that are edited while their page is open, on Vite's dev server: React, Vue, Svelte and Solid. */

import type { Browser } from 'playwright'
import solidCompiler from 'vite-plugin-solid'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { compilers } from '../test/bindings/plugins.ts'
import { isInstalled, launchBrowser } from './browsers.ts'
import { type DevPage, openPage, serveDev } from './dev-page.ts'
import { serveReact } from './react-page.ts'

const patiently = { timeout: 20_000 }

/** A card with a text that is edited, a count of its clicks, and what is known of job 42. `told` has what `onEvent` was called with. */
const react = () =>
  serveReact({
    'main.tsx': `
      import { StrictMode } from 'react'
      import { createRoot } from 'react-dom/client'
      import { Card } from './card.tsx'
      createRoot(document.querySelector('main')).render(<StrictMode><Card /></StrictMode>)`,
    'card.tsx': `
      import { useState } from 'react'
      import { useJob, useJobEvents } from 'jobtail/react'
      export function Card() {
        const [clicks, setClicks] = useState(0)
        const { status, progress } = useJob('42', { onEvent: ({ seq }) => (window.told ??= []).push(seq) })
        const { length } = useJobEvents('42')
        return <button onClick={() => setClicks(clicks + 1)}>{\`before \${clicks} \${status} \${progress?.ratio} \${length}\`}</button>
      }`
  })

const vue = () =>
  serveDev(
    {
      'main.ts': `
        import { createApp } from 'vue'
        import Card from './Card.vue'
        createApp(Card).mount('main')`,
      'Card.vue': `
        <script setup>
        import { ref } from 'vue'
        import { useJob, useJobEvents } from 'jobtail/vue'
        const clicks = ref(0)
        const word = 'script'
        const { status, progress } = useJob('42', { onEvent: ({ seq }) => (window.told ??= []).push(seq) })
        const events = useJobEvents('42')
        </script>
        <template><button :title="word" @click="clicks += 1">before {{ clicks }} {{ status }} {{ progress?.ratio }} {{ events.length }}</button></template>`
    },
    'main.ts',
    { plugins: [compilers.vue()] }
  )

const svelte = () =>
  serveDev(
    {
      'main.ts': `
        import { mount } from 'svelte'
        import Card from './Card.svelte'
        mount(Card, { target: document.querySelector('main') })`,
      'Card.svelte': `
        <script>
        import { useJob, useJobEvents } from 'jobtail/svelte'
        let clicks = $state(0)
        const job = useJob('42', { onEvent: ({ seq }) => (window.told ??= []).push(seq) })
        const events = useJobEvents('42')
        </script>
        <button onclick={() => (clicks += 1)}>before {clicks} {job.status} {job.progress?.ratio} {events.current.length}</button>`
    },
    'main.ts',
    { plugins: [compilers.svelte()] }
  )

const solid = () =>
  serveDev(
    {
      'main.tsx': `
        import { render } from 'solid-js/web'
        import { Card } from './card.tsx'
        render(() => <Card />, document.querySelector('main'))`,
      'card.tsx': `
        import { createSignal } from 'solid-js'
        import { createJob, createJobEvents } from 'jobtail/solid'
        export function Card() {
          const [clicks, setClicks] = createSignal(0)
          const job = createJob('42', { onEvent: ({ seq }) => (window.told ??= []).push(seq) })
          const events = createJobEvents('42')
          return <button onClick={() => setClicks(clicks() + 1)}>before {clicks()} {job().status} {job().progress?.ratio} {events().length}</button>
        }`
    },
    'main.tsx',
    { plugins: [solidCompiler()] }
  )

describe.skipIf(!isInstalled('chromium'))('in Chromium', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launchBrowser('chromium')
  })
  afterAll(() => browser.close())

  // React, and Vue for a template, keep the component; else it is made anew, and is told all events.
  test.each<[string, () => Promise<DevPage>, file: string, edits: readonly (readonly [from: string, to: string, isKept: boolean])[]]>([
    [
      'React',
      react,
      'card.tsx',
      [
        ['before', 'after', true],
        ['after', 'again', true]
      ]
    ],
    [
      'Vue',
      vue,
      'Card.vue',
      [
        ['before', 'after', true],
        ["'script'", "'other'", false],
        ['after', 'again', true]
      ]
    ],
    [
      'Svelte',
      svelte,
      'Card.svelte',
      [
        ['before', 'after', false],
        ['after', 'again', false]
      ]
    ],
    [
      'Solid',
      solid,
      'card.tsx',
      [
        ['before', 'after', false],
        ['after', 'again', false]
      ]
    ]
  ])('%s: an edited component keeps its connection, and what it was before gets no event any more', async (_, serve, file, edits) => {
    await using served = await serve()
    await served.stage.publish('42', 'progress', { ratio: 0.25 })
    const { page, complaints } = await openPage(browser, served.url)
    let loads = 0
    page.on('load', () => {
      loads += 1
    })
    const button = page.getByRole('button')
    const shown = (): Promise<string | null> => button.textContent()
    const told = (): Promise<unknown> => page.evaluate(() => Reflect.get(window, 'told'))
    await expect.poll(shown, patiently).toBe('before 0 running 0.25 1')
    await button.click()
    await expect.poll(shown, patiently).toBe('before 1 running 0.25 1')
    const before = served.stage.counts()
    let [word, clicks] = ['before', 1]
    const expected = [1]
    for (const [from, to, isKept] of edits) {
      await served.edit(file, from, to)
      if (from === word) word = to
      if (!isKept) {
        clicks = 0
        expected.push(1)
      }
      await expect.poll(shown, patiently).toBe(`${word} ${clicks} running 0.25 1`)
      await expect.poll(told, patiently).toEqual(expected)
    }
    await served.stage.publish('42', 'progress', { ratio: 0.5 })
    await expect.poll(shown, patiently).toBe(`${word} ${clicks} running 0.5 2`)
    expect(await told()).toEqual([...expected, 2])
    expect(served.stage.counts()).toEqual(before)
    expect(before.arrived.websocket).toBe(1)
    expect({ loads, complaints }).toEqual({ loads: 0, complaints: [] })
    await page.close()
  })
})
