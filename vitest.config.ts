import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { playwright } from '@vitest/browser-playwright'
import { defineConfig } from 'vitest/config'
import { plugins } from './test/bindings/plugins.ts'
import { renderOnServer } from './test/bindings/server/render.ts'
import { findBrowser, launchOptions } from './test/setup/browsers.ts'

/** Chromium and Firefox, where this machine has them. New objects at each call: Vitest writes a project's name into them. */
function browsers() {
  const instances = (['chromium', 'firefox'] as const).flatMap((browser) => {
    const path = findBrowser(browser)
    return path === undefined ? [] : [{ browser, provider: playwright({ launchOptions: launchOptions(browser, path) }) }]
  })
  return { enabled: instances.length > 0, headless: true, screenshotFailures: false, instances }
}

/** Many files mostly wait. By default a machine of two cores has one worker. */
const maxWorkers = Math.max(2, availableParallelism() - 1)

/** The bindings to frameworks: real pages and a real job server. They share the control server, whose address `createStage` gets. */
const bindings = { globalSetup: 'test/bindings/control/setup.ts', testTimeout: 60_000, expect: { poll: { timeout: 20_000 } } }
const e2e = { testTimeout: 120_000, hookTimeout: 60_000, fileParallelism: false, maxConcurrency: 8 }
/** Bundled before the first test: what Vite meets later it bundles then, and reloads the page. */
const optimizeDeps = { include: ['@tanstack/react-query', 'react', 'react/jsx-dev-runtime', 'react-dom', 'react-dom/client', 'react-dom/server'] }
const otherDeps = { include: [...optimizeDeps.include, 'vue', 'solid-js/web', '@angular/compiler', '@angular/core', '@angular/platform-browser'] }
const react18 = (path: string): string => fileURLToPath(new URL(`./test/react-18/node_modules/${path}`, import.meta.url))

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/**/*.browser.test.ts', 'test/package/**', 'test/examples/**'],
          testTimeout: 30_000,
          maxWorkers
        }
      },
      {
        test: {
          name: 'package',
          include: ['test/package/**/*.test.ts', 'test/examples/**/*.test.ts'],
          exclude: ['test/**/*.browser.test.ts', 'test/examples/.copies/**'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          maxWorkers
        }
      },
      {
        test: {
          name: 'browser',
          include: ['test/**/*.browser.test.ts'],
          exclude: ['test/bindings/**'],
          browser: browsers()
        }
      },
      // All of the table, for `npm run backends`. The project e2e has a sample of it.
      { test: { name: 'backends', include: ['e2e/backends.e2e.ts'], env: { BACKENDS: 'all' }, maxConcurrency: 8 } },
      {
        optimizeDeps: otherDeps,
        plugins: plugins(),
        test: { ...bindings, browser: { ...browsers(), commands: { renderOnServer } }, name: 'bindings', include: ['test/bindings/**/*.browser.test.{ts,tsx}'] }
      },
      {
        // React's last major but one.
        optimizeDeps,
        resolve: { alias: { react: react18('react'), 'react-dom': react18('react-dom') } },
        test: { ...bindings, browser: browsers(), name: 'bindings-react-18', include: ['test/bindings/react/**/*.browser.test.tsx'] }
      },
      // What runs side by side in a file mostly waits, for faults and for pauses.
      { test: { ...e2e, name: 'e2e', include: ['e2e/**/*.e2e.ts'] } },
      // All of what `e2e` has a sample of, for `npm run e2e:whole`.
      { test: { ...e2e, name: 'e2e-whole', include: ['e2e/demo.e2e.ts', 'e2e/site.e2e.ts'], env: { WHOLE: 'true' } } }
    ]
  }
})
