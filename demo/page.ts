/**
 * The demo's page. To see how Jobtail is used, read `createClient`, `client.start` and `client.subscribe` here,
 * and the loop in page/job-card.ts.
 *
 * `?auto=0` starts no job, `?transports=sse,long-poll` leaves out the others, `?memory=1` remembers the winner,
 * `?events=200&interval=25` sets the pace of the jobs.
 */

import 'jobtail/devtools'
import { type Client, createClient, type Diagnostic, type JobEvent, longPoll, type Subscription, shortPoll, sse, webSocket } from 'jobtail'
import { now } from '../src/devtools/dom.ts'
import { createBreakButton } from './page/break-button.ts'
import { createCaptionLine } from './page/caption-line.ts'
import { showCode } from './page/code.ts'
import { createJobCard, type JobCard } from './page/job-card.ts'
import { isEnd } from './page/job-view.ts'
import { createNetwork, mended } from './page/network.ts'
import { inWords } from './page/proof.ts'
import { type KeptJob, keepJobs, keptJobs } from './page/session.ts'
import { createStage } from './page/stage.ts'
import { createSwitches } from './page/switches.ts'

declare global {
  interface Window {
    /** For the tests: starts jobs and returns what the page has received. */
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

const network = createNetwork()
const stage = createStage(byId('stage'))
const caption = createCaptionLine(byId('caption'), stage.remark)
/** Sees every client of the page by itself. */
const devtools = document.querySelector('jobtail-devtools')
const diagnostics: Diagnostic[] = []

/** Without memory: each export then begins like a first visit, with the best transport. */
const connect = (): Client =>
  createClient({
    transports,
    // A person is watching. The default of 30 s spares the servers of pages that nobody looks at.
    retry: { maxMs: 2000 },
    ...(wishes.get('memory') !== '1' && { memory: false as const }),
    onDiagnostic(diagnostic) {
      diagnostics.push(diagnostic)
      caption.add(diagnostic)
    }
  })
let client = connect()

function userDid(word: string, sentence: string): void {
  devtools?.mark(word, sentence)
  caption.add({ type: 'act', at: now(), sentence })
}

createSwitches(byId('switches'), network, userDid)
const breakButton = createBreakButton(byId('break'), {
  network,
  onAct: ({ word, done }) => userDid(word, done),
  onAgain() {
    client = connect()
    void startAndTell('export', true)
  }
})
byId('codes').append(showCode('server', 'The job on the server'), showCode('proxy', 'What breaks the network'))

const cards = new Map<string, JobCard>()

function show({ kind, isOnStage, events }: Omit<KeptJob, 'jobId'>, subscription: Subscription): void {
  const dismiss = { onDismiss: () => cards.delete(subscription.jobId) }
  const card = createJobCard({ kind, subscription, past: events, ...(isOnStage ? { title: 'With Jobtail' } : dismiss) })
  cards.set(card.jobId, card)
  if (isOnStage) {
    stage.show(card)
    breakButton.setOver(false)
  } else byId('cards').prepend(card.element)
  void card.over.then((proof) => {
    if (stage.card !== card) return
    breakButton.setOver(true)
    if (proof) caption.add({ type: 'proved', sentence: `The export has ${card.view.status}: ${inWords(proof)}, compared with the server's own record.` })
  })
}

async function start(input: { kind?: string }, isOnStage = false): Promise<string> {
  // #region start
  const subscription = await client.start({ ...pace, ...input })
  // #endregion
  show({ kind: input.kind ?? '', isOnStage, events: [] }, subscription)
  return subscription.jobId
}

async function startAndTell(kind: string, isOnStage = false): Promise<void> {
  const problem = byId('problem')
  try {
    await start({ kind }, isOnStage)
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

// A bare connection stops without a diagnostic, so the caption has to look for it.
setInterval(caption.refresh, 500)

addEventListener('pagehide', () => {
  const running = [...cards.values()].filter(({ view }) => !isEnd(view.status))
  keepJobs(running.map((card) => ({ jobId: card.jobId, kind: card.kind, isOnStage: card === stage.card, events: card.view.events })))
})

window.demo = {
  start,
  events: (jobId) => cards.get(jobId)?.view.events ?? [],
  over: async (jobId) => void (await cards.get(jobId)?.over),
  get jobIds() {
    return [...cards.keys()]
  },
  diagnostics
}

for (const { jobId, ...kept } of keptJobs()) show(kept, client.subscribe(jobId, { after: kept.events.at(-1)?.id }))
const isFirstVisit = !stage.card && wishes.get('auto') !== '0'
// The story begins with a network that works. Another visit may have left it broken.
await network.change(isFirstVisit ? mended : undefined)
if (isFirstVisit) await startAndTell('export', true)
