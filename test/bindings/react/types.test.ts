/** The types that the hooks infer. The compiler checks them (`npm run typecheck`); the components below are never rendered. */

import { expectTypeOf, test } from 'vitest'
import type { JobFailedError, JobState, JobtailError, KnownJob, Subscription } from '../../../src/index.ts'
import { useJob, useJobEvents, useJobs, useStartJob } from '../../../src/react.ts'

interface ReportEvents {
  succeeded: { url: string }
  page: { number: number }
}

function Typed() {
  const job = useJob<ReportEvents>('42', {
    onEvent(event) {
      if (event.type === 'page') expectTypeOf(event.data).toEqualTypeOf<{ number: number }>()
      if (event.type === 'succeeded') expectTypeOf(event.data.url).toEqualTypeOf<string>()
    },
    onEnd: (state) => expectTypeOf(state).toEqualTypeOf<JobState<ReportEvents>>()
  })
  expectTypeOf(job.result).toEqualTypeOf<{ url: string } | undefined>()
  expectTypeOf(job.error).toEqualTypeOf<JobtailError | JobFailedError | undefined>()
  expectTypeOf(job.cancel).toEqualTypeOf<() => Promise<void>>()
  for (const event of useJobEvents<ReportEvents>('42')) if (event.type === 'page') expectTypeOf(event.data.number).toEqualTypeOf<number>()
}

function Untyped(id: string | null | undefined) {
  const job = useJob(id, { enabled: undefined, initial: undefined, after: undefined, client: undefined, onEnd: undefined })
  expectTypeOf(job.status).toEqualTypeOf<Subscription['state']['status']>()
  expectTypeOf(job.result).toEqualTypeOf<unknown>()
  expectTypeOf(useJobs()).toEqualTypeOf<readonly KnownJob[]>()
  // @ts-expect-error: a number is no id
  useJob(42)
  // @ts-expect-error: there is no such option
  useJob('42', { transport: 'sse' })
  // @ts-expect-error: a state can't be changed
  job.status = 'running'
}

function Starting() {
  const { start, jobId } = useStartJob<{ pages: number }>()
  expectTypeOf(jobId).toEqualTypeOf<string | undefined>()
  expectTypeOf(start({ pages: 3 })).toEqualTypeOf<Promise<string | undefined>>()
  // @ts-expect-error: pages is a number
  start({ pages: '3' })
}

test('are those of the application', () => {
  expectTypeOf([Typed, Untyped, Starting]).not.toBeAny()
})
