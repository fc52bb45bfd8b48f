/** Vite's plugins for the components of the tests. */

import { svelte } from '@sveltejs/vite-plugin-svelte'
import vue from '@vitejs/plugin-vue'
import type { PluginOption } from 'vite'
import solid from 'vite-plugin-solid'

/** Other files with JSX are React's. */
export const plugins = (): PluginOption[] => [vue(), svelte({ configFile: false }), solid({ include: '**/solid/**', ssr: true })]
