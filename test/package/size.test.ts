import { expect, test } from 'vitest'
import { budgets, bytesOf } from './size.ts'

test.each(budgets)('$what stays within its budget', async (budget) => {
  const bytes = await bytesOf(budget)
  console.log(`${budget.what}: ${bytes} of ${budget.maxBytes} bytes (brotli)`)
  expect(bytes).toBeGreaterThan(100)
  expect(bytes).toBeLessThanOrEqual(budget.maxBytes)
})
