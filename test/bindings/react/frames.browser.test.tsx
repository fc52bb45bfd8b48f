/** How often React renders at a thousand events a second: no more than once per animation frame. */

import type { ReactNode } from 'react'
import { expect, test } from 'vitest'
import { JobtailProvider, useJob, useJobEvents } from '../../../src/react.ts'
import { createStage } from '../stage.ts'
import { clientOf, mount } from './mount.tsx'

const PER_SECOND = 1000
const MS = 1500
/** The first render, the connection's phases, and the frames at the two ends of what is counted. */
const SLACK = 4

/** Counts animation frames until `stop` is called. */
function countFrames(): () => number {
  let frames = 0
  let id = requestAnimationFrame(function next() {
    frames += 1
    id = requestAnimationFrame(next)
  })
  return () => {
    cancelAnimationFrame(id)
    return frames
  }
}

const Progress = ({ onRender }: { onRender(): void }): ReactNode => {
  onRender()
  return useJob('42').progress?.ratio ?? '-'
}
const Log = ({ onRender }: { onRender(): void }): ReactNode => {
  onRender()
  return useJobEvents('42', { limit: 100 }).at(-1)?.seq ?? '-'
}

test.for([
  ['useJob', Progress, /^0\.\d/],
  ['useJobEvents', Log, /^\d{2,}$/]
] as const)('%s', async ([name, Counted, isMoving]) => {
  const stage = await createStage()
  let renders = 0
  const seen = new Set<string>()
  await stage.publish('42', 'started')
  const { container, text } = mount(
    <JobtailProvider client={clientOf(stage)}>
      <Counted
        onRender={() => {
          renders += 1
        }}
      />
    </JobtailProvider>
  )
  new MutationObserver(() => seen.add(text())).observe(container, { childList: true, characterData: true, subtree: true })
  const framesOf = countFrames()
  const events = await stage.burst('42', { perSecond: PER_SECOND, ms: MS })
  await stage.publish('42', 'succeeded')
  await expect.poll(text).toMatch(isMoving)
  const frames = framesOf()
  console.log(`${name}: ${events} events, ${renders} renders, ${frames} frames, ${(renders / frames).toFixed(2)} renders per frame`)
  expect(renders).toBeLessThanOrEqual(frames + SLACK)
  // It is rendered as the events come, and not only at the end: else the number above says nothing.
  expect(seen.size).toBeGreaterThan(10)
})
