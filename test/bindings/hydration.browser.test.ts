/** What a server has rendered is taken over by the page. */

import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { commands } from 'vitest/browser'
import type { JobSnapshot } from '../../src/index.ts'
import { angular } from './angular/framework.ts'
import { createScene } from './scene.ts'
import type { Rendered, RenderProps } from './server/render.ts'
import { solid } from './solid/framework.ts'
import { svelte } from './svelte/framework.ts'
import { vue } from './vue/framework.ts'

declare module 'vitest/browser' {
  interface BrowserCommands {
    renderOnServer(folder: string, props: RenderProps): Promise<Rendered>
  }
}

const initial = (ratio: number): JobSnapshot => ({ id: '42', status: 'running', epoch: 'before', seq: 3, cursor: 'before-3', progress: { ratio } })
const shownIn = (html: string): string | undefined => /<output[^>]*>(?:<!--.*?-->)*([^<]*)/.exec(html)?.[1]

describe.each([vue, svelte, solid, angular])('$name', (framework) => {
  const folder = framework.name.toLowerCase()

  test('a server renders `initial`, each time its own, and asks for nothing', async () => {
    const quiet = { requested: [], said: [] }
    for (const [props, text] of [
      [{ id: '42', initial: initial(0.3) }, 'running 0.3'],
      [{ id: '42', initial: initial(0.4) }, 'running 0.4'],
      [{ id: '43', initial: initial(0.4) }, 'unknown -'],
      [{ id: '42' }, 'unknown -']
    ] as const) {
      const { html, ...rest } = await commands.renderOnServer(folder, props)
      expect({ text: shownIn(html), ...rest }).toEqual({ text, ...quiet })
    }
  })

  test('the page takes it over as it is, also where it knows more already', async () => {
    const { stage, client, element, props, shown, texts } = await createScene(framework)
    const { html } = await commands.renderOnServer(folder, { id: '42', initial: initial(0.3) })
    await stage.publish('42', 'progress', { ratio: 0.7 })
    onTestFinished(client.job('42').subscribe(() => {}))
    await expect.poll(() => client.job('42').state.progress).toEqual({ ratio: 0.7 })
    element.append(document.createRange().createContextualFragment(html))
    const [output, ...others] = element.querySelectorAll('output')
    expect(others).toEqual([])
    const said: unknown[] = []
    for (const method of ['warn', 'error'] as const) vi.spyOn(console, method).mockImplementation((...args) => void said.push(args))
    onTestFinished(() => void vi.restoreAllMocks())
    const mounted = await framework.hydrate(element, client, { ...props, initial: initial(0.3) })
    onTestFinished(mounted.unmount)
    expect(shown[0]?.progress).toEqual({ ratio: 0.3 })
    await expect.poll(texts).toEqual(['running 0.7'])
    expect(element.querySelector('output')).toBe(output)
    expect(said).toEqual([])
  })
})
