/** What a server does with the cards: Vite compiles and loads them for Node, as Nuxt and SvelteKit have it do. Vitest's pages call it as a command. */

import { createServer, type ViteDevServer } from 'vite'
import type { BrowserCommand } from 'vitest/node'
import type { Client, JobSnapshot } from '../../../src/index.ts'
import type { CardProps } from '../card.ts'
import { plugins } from '../plugins.ts'

/** What a card is rendered with. */
export interface RenderProps {
  id: string
  initial?: JobSnapshot
}

export interface Rendered {
  html: string
  /** The addresses that were requested meanwhile. */
  requested: string[]
  /** What was written to the console. */
  said: string[]
}

let server: Promise<ViteDevServer> | undefined

const start = (): Promise<ViteDevServer> =>
  createServer({
    configFile: false,
    logLevel: 'error',
    appType: 'custom',
    server: { middlewareMode: true, hmr: false, ws: false, watch: null },
    optimizeDeps: { noDiscovery: true },
    plugins: plugins()
  })

async function render(folder: string, props: RenderProps): Promise<Rendered> {
  server ??= start()
  const { ssrLoadModule } = await server
  const { render } = (await ssrLoadModule(`/test/bindings/${folder}/server.ts`)) as { render(client: Client, props: CardProps): Promise<string> } // as: each has it
  const { createClient } = (await ssrLoadModule('/src/index.ts')) as typeof import('../../../src/index.ts') // as: it is this module
  const { textOf } = (await ssrLoadModule('/test/bindings/card.ts')) as typeof import('../card.ts') // as: the same
  const requested: string[] = []
  const said: string[] = []
  const { fetch } = globalThis
  const { warn, error } = console
  console.warn = console.error = (...args) => void said.push(args.join(' '))
  globalThis.fetch = async (input) => {
    requested.push(String(input))
    throw new TypeError('a server that renders has nothing to ask for')
  }
  try {
    return { html: await render(createClient({ url: 'http://127.0.0.1:9/jobs' }), { ...props, show: textOf }), requested, said }
  } finally {
    Object.assign(globalThis, { fetch })
    Object.assign(console, { warn, error })
  }
}

/** One after another: each watches what is global. */
let last: Promise<unknown> = Promise.resolve()

/** Renders a card with a framework, by the name of its folder. */
export const renderOnServer: BrowserCommand<[folder: string, props: RenderProps]> = (_, folder, props): Promise<Rendered> => {
  const rendered = last.then(() => render(folder, props))
  last = rendered.catch(() => {})
  return rendered
}
