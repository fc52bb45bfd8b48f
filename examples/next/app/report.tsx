'use client'

import { longPoll, shortPoll, sse, start, subscribe } from 'jobtail'
import { useRouter } from 'next/navigation'
import { useMemo, useState, useSyncExternalStore } from 'react'

// Route handlers of Next carry no WebSocket.
const options = { transports: [sse(), longPoll(), shortPoll()] }

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

export function Report({ jobId }: { jobId: string | undefined }) {
  const router = useRouter()
  const [problem, setProblem] = useState<string>()

  async function begin(): Promise<void> {
    try {
      const job = await start({ title: 'Sales', pages: 10 }, options)
      setProblem(undefined)
      router.replace(`?job=${encodeURIComponent(job.jobId)}`)
    } catch (error) {
      setProblem(messageOf(error))
    }
  }

  return (
    <>
      <button type="button" onClick={begin}>
        Make a report
      </button>
      {problem && <p role="alert">{problem}</p>}
      {jobId && <Progress key={jobId} jobId={jobId} />}
    </>
  )
}

function Progress({ jobId }: { jobId: string }) {
  // It connects once the component is there, in a browser only, and lets go when the component goes.
  const job = useMemo(() => subscribe<{ succeeded: { url: string } }>(jobId, options), [jobId])
  const { status, progress, result, error } = useSyncExternalStore(
    job.onChange,
    () => job.state,
    () => job.state
  )
  const isOver = status === 'succeeded' || status === 'failed' || status === 'cancelled'
  return (
    <section>
      <progress max={1} value={status === 'succeeded' ? 1 : (progress?.ratio ?? 0)} aria-label="The report" />
      <output>{status}</output>
      {!isOver && (
        <button type="button" onClick={() => job.cancel().catch(console.error)}>
          Cancel
        </button>
      )}
      {result && <a href={result.url}>Download</a>}
      {error && <p role="alert">{error.message}</p>}
    </section>
  )
}
