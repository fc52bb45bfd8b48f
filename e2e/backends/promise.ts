/** What the promise of a backend says about what a page has seen. */

import type { Backend } from '../../src/types.ts'
import type { Outcome } from './cell.ts'
import type { Seen } from './page.ts'

/** What is wrong with it; empty where the promise was kept. */
export function broken(promises: Backend['promises'], { record, seen, stood, over }: Outcome): string[] {
  const wrong: string[] = []
  const steps = seen.map(({ step }) => step).filter((step) => step !== undefined)
  const missing = record.filter((step) => !steps.includes(step))
  if (record.some((step, index) => step !== index + 1)) wrong.push(`the server's record is ${record}`)
  if (steps.some((step, index) => step <= (steps[index - 1] ?? 0))) wrong.push(`repeated or out of order: ${steps}`)
  if (steps.some((step) => !record.includes(step))) wrong.push(`steps that the server does not have: ${steps}`)
  // A gap begins another epoch, with numbers of its own.
  const isNext = ({ seq, type }: Seen, before: Seen | undefined): boolean => type === 'gap' || before?.type === 'gap' || seq > (before?.seq ?? 0)
  if (!seen.every((each, index) => isNext(each, seen[index - 1]))) wrong.push(`numbers: ${seen.map(({ seq }) => seq)}`)
  if (over !== 'ended') wrong.push(`the loop: ${over ?? 'has not ended'}`)
  if (seen.findIndex(({ type }) => type === 'succeeded') !== seen.length - 1) wrong.push(`the end: ${seen.map(({ type }) => type)}`)
  const gaps = seen.some(({ type }) => type === 'gap')
  switch (promises) {
    case 'log':
    case 'replay':
      if (missing.length > 0) wrong.push(`lost: ${missing}`)
      if (gaps) wrong.push('a gap, where nothing was lost')
      break
    case 'state': {
      const unseen = stood.filter((step) => !steps.includes(step))
      if (unseen.length > 0) wrong.push(`states that stood and were not seen: ${unseen}`)
      if (gaps) wrong.push('a gap, which a state has none of')
      break
    }
    case 'lossy': {
      const silent = missing.filter((step) => !isBehindGap(seen, step))
      if (silent.length > 0) wrong.push(`lost without a gap: ${silent}`)
      break
    }
    default:
      wrong.push(`an unknown promise: ${promises}`)
  }
  return wrong
}

/** Whether a gap stands between the last step before this one and the first one after it. */
function isBehindGap(seen: Outcome['seen'], step: number): boolean {
  const from = seen.findLastIndex((each) => each.step !== undefined && each.step < step)
  const to = seen.findIndex((each) => each.step !== undefined && each.step > step)
  return seen.slice(from + 1, to === -1 ? undefined : to).some(({ type }) => type === 'gap')
}
