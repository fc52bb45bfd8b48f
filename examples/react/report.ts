import { setTimeout as sleep } from 'node:timers/promises'
import { type JobContext, JobError } from 'jobtail/server'

const MAX_PAGES = 500
const PAGE_MS = 200

/** Makes a report, page by page. Replace this by your work. What it returns is the job's result. */
export async function makeReport(job: JobContext, input: unknown): Promise<{ url: string }> {
  const { title, pages } = readInput(input)
  for (let page = 1; page <= pages; page++) {
    await renderPage(title, page, job.signal)
    await job.progress({ current: page, total: pages, unit: 'pages' })
  }
  return { url: `/reports/${job.id}.pdf` }
}

/** Ends early when `signal` is aborted: the job was cancelled, or the server is closing. Pass it on to `fetch`, to your database, to child processes. */
async function renderPage(_title: string, _page: number, signal: AbortSignal): Promise<void> {
  await sleep(PAGE_MS, undefined, { signal })
}

/** Anybody with an account can send anything. A `JobError` is shown to users; what other errors say is not. */
function readInput(input: unknown): { title: string; pages: number } {
  const { title, pages } = Object(input)
  if (typeof title !== 'string' || title === '') throw new JobError('bad-input', 'title: expected text')
  if (!Number.isInteger(pages) || pages < 1 || pages > MAX_PAGES) throw new JobError('bad-input', `pages: expected an integer from 1 to ${MAX_PAGES}`)
  return { title, pages }
}
