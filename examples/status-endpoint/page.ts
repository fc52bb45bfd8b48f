import { createClient, type Subscription } from 'jobtail'
import { statusPoll } from 'jobtail/backends'
import type { Export } from './exports.ts'

const client = createClient({
  url: '/api/exports',
  backend: statusPoll<Export>({
    request: (id, { base }) => `${base}/${id}/status`,
    read({ state, rowsDone, rows, file, message }) {
      if (state === 'done') return [['succeeded', { file }]]
      if (state === 'error') return [['failed', { code: 'export', message }]]
      return state === 'pending' ? [['queued']] : [['progress', { current: rowsDone, total: rows }]]
    },
    start: (input) => ({ body: input }),
    cancel: (id, { base }) => ({ url: `${base}/${id}`, method: 'DELETE' })
  })
})

type Events = { succeeded: { file: string } }

const bar = document.querySelector('progress') as HTMLProgressElement // as: index.html has one of each
const end = document.querySelector('output') as HTMLOutputElement
const [start, stop] = document.querySelectorAll('button')

async function follow(job: Subscription<Events>): Promise<void> {
  location.hash = job.jobId // a reload goes on with it
  end.textContent = 'waiting'
  if (stop) stop.onclick = () => job.cancel()
  for await (const event of job) {
    if (event.type === 'progress') bar.value = event.data.ratio ?? 0
    if (event.type === 'succeeded') bar.value = 1
  }
  await job.result.then(
    ({ file }) => end.replaceChildren(Object.assign(document.createElement('a'), { href: file, textContent: 'Download' })),
    (error) => {
      end.textContent = error.message
    }
  )
}

if (start) start.onclick = async () => follow(await client.start<Events>({ rows: 10_000 }))
const unfinished = location.hash.slice(1)
if (unfinished) follow(client.subscribe<Events>(unfinished))
