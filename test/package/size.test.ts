import { expect, test } from 'vitest'
import { budgetBytes, bundleBytes } from './size.ts'

test('the bundle is within its budget', () => {
  const bytes = bundleBytes()
  console.log(`dist/jobtail.min.js: ${bytes} of ${budgetBytes} bytes (brotli)`)
  expect(bytes).toBeGreaterThan(1000)
  expect(bytes).toBeLessThanOrEqual(budgetBytes)
})
