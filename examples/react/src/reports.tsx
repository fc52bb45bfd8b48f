import { useJob, useJobs, useStartJob } from 'jobtail/react'
import { useState } from 'react'

interface ReportEvents {
  succeeded: { url: string }
}

/** A button that starts a report, and the report that is made. */
export function Reports() {
  const { start, isPending, error } = useStartJob<{ title: string; pages: number }>()
  const running = useJobs()
  const [id, setId] = useState<string>()
  // After a reload: goes on with the newest job that runs.
  if (id === undefined && running[0]) setId(running[0].id)

  return (
    <>
      <button type="button" disabled={isPending} onClick={async () => setId(await start({ title: 'Sales', pages: 10 }))}>
        Make a report
      </button>
      {error && <p role="alert">{error.code === 'unauthorized' ? 'Sign in first.' : error.message}</p>}
      {id !== undefined && <Report id={id} />}
    </>
  )
}

function Report({ id }: { id: string }) {
  const { status, progress, result, error, isPending, cancel } = useJob<ReportEvents>(id)
  return (
    <section>
      <progress max={1} value={status === 'succeeded' ? 1 : progress?.ratio} aria-label="The report" />
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
