import { expect, test } from 'vitest'
import { budgets, bytesOf } from './size.ts'

test.each(budgets)('$what stays within its budget', async (budget) => {
  const bytes = await bytesOf(budget)
  console.log(`${budget.what}: ${bytes} of ${budget.maxBytes} bytes (brotli)`)
  expect(bytes).toBeGreaterThan(50) // nothing, or what is there already, would be next to 0: `plainSse` adds 96
  expect(bytes).toBeLessThanOrEqual(budget.maxBytes)
})
