import { cookies } from 'next/headers'
import { isOwner, SESSION, userOf } from '../lib/auth'
import { jobs } from '../lib/jobs'
import { Report } from './report'

/** Replace this by your own: it lets everybody in. */
async function signIn(): Promise<void> {
  'use server'
  const store = await cookies()
  store.set(SESSION, 'ada-session', { httpOnly: true, sameSite: 'lax' })
}

/** The job's id is in the address, so that a reload goes on with it. What the server knows of the job is in the page from the start. */
export default async function Page({ searchParams }: { searchParams: Promise<{ job?: string }> }) {
  const { job } = await searchParams
  const user = userOf((await cookies()).get(SESSION)?.value)
  const initial = job !== undefined && isOwner(user, job) ? await jobs.log.snapshot(job) : undefined
  return (
    <main>
      <h1>Reports</h1>
      {user ? (
        <Report jobId={job} initial={initial} />
      ) : (
        <form action={signIn}>
          <button type="submit">Sign in as Ada</button>
        </form>
      )}
    </main>
  )
}
