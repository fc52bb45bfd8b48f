/** Vite's plugins for the components of the tests. */

import { svelte } from '@sveltejs/vite-plugin-svelte'
import vue from '@vitejs/plugin-vue'
import type { PluginOption } from 'vite'
import solid from 'vite-plugin-solid'

/** For each framework that has a compiler of its own. Other files with JSX than Solid's are React's. */
export const compilers = {
  vue: (): PluginOption => vue(),
  svelte: (): PluginOption => svelte({ configFile: false }),
  solid: (): PluginOption => solid({ include: '**/solid/**', ssr: true })
}

export const plugins = (): PluginOption[] => Object.values(compilers).map((make) => make())
