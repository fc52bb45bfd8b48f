import { availableParallelism } from 'node:os'
import { playwright } from '@vitest/browser-playwright'
import { defineConfig } from 'vitest/config'
import { findBrowser, launchOptions } from './test/setup/browsers.ts'

/** One instance for each browser that this machine has. */
const instances = (['chromium', 'firefox'] as const).flatMap((browser) => {
  const path = findBrowser(browser)
  return path === undefined ? [] : [{ browser, provider: playwright({ launchOptions: launchOptions(browser, path) }) }]
})

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/**/*.browser.test.ts', 'test/package/**', 'test/examples/**'],
          testTimeout: 30_000,
          // Many files mostly wait. By default a machine of two cores has one worker.
          maxWorkers: Math.max(2, availableParallelism() - 1)
        }
      },
      {
        test: {
          name: 'package',
          include: ['test/package/**/*.test.ts', 'test/examples/**/*.test.ts'],
          exclude: ['test/**/*.browser.test.ts', 'test/examples/.copies/**'],
          testTimeout: 120_000,
          hookTimeout: 120_000
        }
      },
      {
        test: {
          name: 'browser',
          include: ['test/**/*.browser.test.ts'],
          browser: { enabled: instances.length > 0, headless: true, screenshotFailures: false, instances }
        }
      },
      // All of the table, for `npm run backends`. The project e2e has a sample of it.
      { test: { name: 'backends', include: ['e2e/backends.e2e.ts'], env: { BACKENDS: 'all' }, maxConcurrency: 8 } },
      // What runs side by side in a file mostly waits, for faults and for pauses.
      { test: { name: 'e2e', include: ['e2e/**/*.e2e.ts'], testTimeout: 120_000, hookTimeout: 60_000, fileParallelism: false, maxConcurrency: 8 } }
    ]
  }
})
