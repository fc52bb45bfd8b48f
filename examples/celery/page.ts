import { createClient, type Subscription } from 'jobtail'
import { celeryProgress } from 'jobtail/backends'

type Events = { succeeded: { url: string } }

const csrfToken = (): string => /csrftoken=([^;]+)/.exec(document.cookie)?.[1] ?? ''

const client = createClient({
  url: '/celery-progress',
  backend: celeryProgress({
    start: (input) => ({ url: '/reports/', body: input, headers: { 'x-csrftoken': csrfToken() } }),
    idOf: (answer) => (answer as { task_id: string }).task_id // as: the view's
  })
})

const bar = document.querySelector('progress') as HTMLProgressElement // as: index.html has one of each
const message = document.querySelector('#message') as HTMLParagraphElement
const end = document.querySelector('output') as HTMLOutputElement
const button = document.querySelector('button')

async function follow(job: Subscription<Events>): Promise<void> {
  location.hash = job.jobId // a reload goes on with it
  end.textContent = 'waiting'
  for await (const event of job) {
    if (event.type === 'progress') {
      bar.value = event.data.ratio ?? 0
      message.textContent = event.data.message ?? ''
    }
    if (event.type === 'retrying') message.textContent = 'One more time'
    if (event.type === 'succeeded') {
      bar.value = 1
      end.replaceChildren(Object.assign(document.createElement('a'), { href: event.data.url, textContent: 'Download' }))
    }
    if (event.type === 'failed') end.textContent = event.data.message
  }
}

if (button) button.onclick = async () => follow(await client.start<Events>({ title: 'Sales', pages: 10 }))
const unfinished = location.hash.slice(1)
if (unfinished) follow(client.subscribe<Events>(unfinished))
