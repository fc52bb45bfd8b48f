/**
 * The demo's page. What shows how Jobtail is used are `createClient`, `client.start` and `client.subscribe` here,
 * and the loop in page/job-card.ts.
 *
 * `?auto=0` starts no job, `?transports=sse,long-poll` leaves others out, `?memory=0` remembers none,
 * `?events=200&interval=25` sets the pace of the jobs.
 */

import { createClient, type Diagnostic, type JobEvent, longPoll, type Subscription, shortPoll, sse, webSocket } from 'jobtail'
import { createJobCard, type JobCard } from './page/job-card.ts'
import { isEnd } from './page/job-view.ts'
import { keepJobs, keptJobs } from './page/session.ts'
import { createSwitches } from './page/switches.ts'
import { createTimeline } from './page/timeline.ts'

declare global {
  interface Window {
    /** For tests: what the page received. */
    demo: {
      start(input: object): Promise<string>
      events(jobId: string): readonly JobEvent[]
      over(jobId: string): Promise<void>
      readonly jobIds: string[]
      readonly diagnostics: readonly Diagnostic[]
    }
  }
}

const byId = (id: string): HTMLElement => {
  const element = document.getElementById(id)
  if (!element) throw new Error(`no element #${id}`)
  return element
}

const wishes = new URLSearchParams(location.search)
const wanted = wishes.get('transports')?.split(',')
const transports = [webSocket(), sse(), longPoll(), shortPoll()].filter(({ name }) => wanted?.includes(name) ?? true)
const pace = {
  ...(wishes.has('events') && { events: Number(wishes.get('events')) }),
  ...(wishes.has('interval') && { intervalMs: Number(wishes.get('interval')) })
}

const timeline = createTimeline(byId('timeline'))
createSwitches(byId('switches'), timeline.mark)

const diagnostics: Diagnostic[] = []
const client = createClient({
  transports,
  ...(wishes.get('memory') === '0' && { memory: false as const }),
  onDiagnostic(diagnostic) {
    diagnostics.push(diagnostic)
    timeline.add(diagnostic)
  }
})

const cards = new Map<string, JobCard>()

function show(kind: string, subscription: Subscription, past: readonly JobEvent[] = []): void {
  const card = createJobCard({
    kind,
    subscription,
    past,
    onEvent: timeline.tick,
    onDismiss: () => cards.delete(subscription.jobId)
  })
  cards.set(card.jobId, card)
  byId('cards').prepend(card.element)
  void card.over.then(() => {
    if ([...cards.values()].every(({ view }) => isEnd(view.status))) timeline.rest()
  })
}

async function start(input: { kind?: string }): Promise<string> {
  const subscription = await client.start({ ...pace, ...input })
  show(input.kind ?? '', subscription)
  return subscription.jobId
}

async function startAndTell(kind: string): Promise<void> {
  const problem = byId('problem')
  try {
    await start({ kind })
    problem.hidden = true
  } catch (error) {
    problem.textContent = `The job could not be started. ${String(error)}`
    problem.hidden = false
  }
}

for (const button of document.querySelectorAll<HTMLButtonElement>('[data-kind]')) {
  button.addEventListener('click', async () => {
    button.disabled = true
    await startAndTell(button.dataset.kind ?? '')
    button.disabled = false
  })
}

addEventListener('pagehide', () => {
  const running = [...cards.values()].filter(({ view }) => !isEnd(view.status))
  keepJobs(running.reverse().map(({ jobId, kind, view }) => ({ jobId, kind, events: view.events })))
})

window.demo = {
  start,
  events: (jobId) => cards.get(jobId)?.view.events ?? [],
  over: async (jobId) => cards.get(jobId)?.over,
  get jobIds() {
    return [...cards.keys()]
  },
  diagnostics
}

const kept = keptJobs()
for (const { jobId, kind, events } of kept) show(kind, client.subscribe(jobId, { after: events.at(-1)?.id }), events)
if (kept.length === 0 && wishes.get('auto') !== '0') void startAndTell('hash')
