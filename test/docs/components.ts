/** Runs the components of documents: Vite compiles them as in an application, and their framework renders them on a server. */

import { join } from 'node:path'
import { createServer, transformWithOxc } from 'vite'
import { expect } from 'vitest'
import { compilers } from '../bindings/plugins.ts'
import type { Block } from './blocks.ts'

const root = join(import.meta.dirname, '../..')
/** Where the block seems to be. Solid's plugin knows its components by their folder. */
const FOLDER = join(root, 'test/docs/solid')
const FILES = { vue: 'block.vue', svelte: 'block.svelte', solid: 'block.tsx', angular: 'block.angular.js' }

/** How each framework renders the component that a module exports. */
const RENDERERS = {
  vue: `import { renderToString } from '@vue/server-renderer'
    import { createSSRApp } from 'vue'
    import Component from './block.vue'
    export default () => renderToString(createSSRApp(Component))`,
  svelte: `import { render } from 'svelte/server'
    import Component from './block.svelte'
    export default async () => (await render(Component)).body`,
  solid: `import { renderToString } from 'solid-js/web'
    import { Report } from './block.tsx'
    export default () => renderToString(Report)`,
  angular: `import '@angular/compiler'
    import { bootstrapApplication } from '@angular/platform-browser'
    import { provideServerRendering, renderApplication } from '@angular/platform-server'
    import { Report } from './block.angular.js'
    const begin = (context) => bootstrapApplication(Report, { providers: [provideServerRendering()] }, context)
    export default () => renderApplication(begin, { document: '<app-report></app-report>', url: '/' })`
}

/** A runner for a component that starts a job: rendered, it shows its button, and nothing of a job. */
export const component = (framework: keyof typeof FILES) => async (block: Block) => {
  const text = block.code.map((line) => line.text).join('\n')
  const code = framework === 'angular' ? (await transformWithOxc(text, 'block.ts', { decorator: { legacy: true } })).code : text
  const modules: Record<string, string> = { [join(FOLDER, FILES[framework])]: code, [join(FOLDER, 'render.js')]: RENDERERS[framework] }
  const server = await createServer({
    root,
    configFile: false,
    logLevel: 'error',
    appType: 'custom',
    server: { middlewareMode: true, hmr: false, ws: false, watch: null },
    optimizeDeps: { noDiscovery: true },
    resolve: { alias: { [`jobtail/${framework}`]: join(root, `src/${framework}.ts`) } },
    plugins: [
      {
        name: 'document',
        enforce: 'pre',
        resolveId: (id, importer) => [id, join(importer ?? root, '..', id)].find((path) => path in modules),
        load: (id) => modules[id]
      },
      framework === 'angular' ? [] : compilers[framework]()
    ]
  })
  try {
    const { default: render } = await server.ssrLoadModule(join(FOLDER, 'render.js'))
    const html: string = await render()
    expect(html.match(/<(button|progress)[^>]*>[^<]*/g)?.map((element) => element.replace(/<(\w+)[^>]*>/, '$1: '))).toEqual(['button: Make the report'])
  } finally {
    await server.close()
  }
}
