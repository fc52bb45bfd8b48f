'use client'

import { createClient, type JobSnapshot, longPoll, shortPoll, sse } from 'jobtail'
import { JobtailProvider, useJob, useStartJob } from 'jobtail/react'
import { useRouter } from 'next/navigation'

// Once, outside of the components. Route handlers of Next carry no WebSocket.
const client = createClient({ transports: [sse(), longPoll(), shortPoll()] })

interface ReportEvents {
  succeeded: { url: string }
}

interface ReportProps {
  jobId: string | undefined
  /** What the server knew of the job as it rendered the page. */
  initial: JobSnapshot | undefined
}

export function Report(props: ReportProps) {
  return (
    <JobtailProvider client={client}>
      <Start />
      {props.jobId && <Progress {...props} />}
    </JobtailProvider>
  )
}

function Start() {
  const router = useRouter()
  const { start, isPending, error } = useStartJob()

  async function begin(): Promise<void> {
    const jobId = await start({ title: 'Sales', pages: 10 })
    if (jobId !== undefined) router.replace(`?job=${encodeURIComponent(jobId)}`)
  }

  return (
    <>
      <button type="button" onClick={begin} disabled={isPending}>
        Make a report
      </button>
      {error && <p role="alert">{error.message}</p>}
    </>
  )
}

function Progress({ jobId, initial }: ReportProps) {
  // It connects once the component is there, in a browser only, and lets go when the component goes.
  const { status, progress, result, error, isPending, cancel } = useJob<ReportEvents>(jobId, { initial })
  return (
    <section>
      <progress max={1} value={status === 'succeeded' ? 1 : (progress?.ratio ?? 0)} aria-label="The report" />
      <output>{status}</output>
      {isPending && (
        <button type="button" onClick={() => cancel().catch(console.error)}>
          Cancel
        </button>
      )}
      {result && <a href={result.url}>Download</a>}
      {error && <p role="alert">{error.message}</p>}
    </section>
  )
}
