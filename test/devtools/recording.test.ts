/** What the panel keeps of the clients that it observes. */

import { expect, test } from 'vitest'
import { createRecording, type Recording } from '../../src/devtools/recording.ts'
import { reduceJob } from '../../src/index.ts'
import { initialState } from '../../src/reduce.ts'
import type { Client, ClientOptions, ConnectionPhase, DiagnosticDetail, JobState, WireEvent } from '../../src/types.ts'

/** A client as `observe` gives it: the recording only tells one from another. */
const client = (): Client => ({}) as Client // as: see above
const options: ClientOptions = { url: '/jobs' }

/** Something to follow, whose state the test sets. */
interface Followed {
  jobId: string
  state: JobState
}

const followed = (jobId: string): Followed => ({ jobId, state: initialState() })

function connection(job: Followed, phase: ConnectionPhase): Followed {
  job.state = { ...job.state, connection: { ...job.state.connection, phase } }
  return job
}

function recordingOf(max = 0) {
  const recording = createRecording()
  const one = client()
  let at = max
  return {
    recording,
    did: (detail: DiagnosticDetail, transport?: string, of: Client = one) => recording.add({ at: at++, attempt: 1, transport, ...detail }, of, options),
    changed: (job: Followed, event?: WireEvent, of: Client = one) => recording.add({ type: 'job', at: at++, attempt: 0, job, event }, of, options)
  }
}

const event = (seq: number, type = 'progress'): WireEvent => ({ id: `e-${seq}`, seq, job: '1', type, time: '', data: { ratio: seq / 1e6 } })

/** How many of each kind are kept. */
const sizes = ({ clients, jobs, entries, marks }: Recording): Record<string, number> => ({
  clients: clients.length,
  jobs: jobs.all.length,
  entries: entries.since(0).length,
  marks: marks.length,
  bars: Math.max(...clients.map(({ history }) => history.bars.length)),
  pauses: Math.max(...clients.map(({ history }) => history.pauses.length)),
  moments: Math.max(...clients.map(({ history }) => history.marks.length)),
  ticks: Math.max(...clients.flatMap(({ history }) => [...history.ticks.values()].map(({ length }) => length))),
  types: Math.max(...jobs.all.map(({ types }) => types.size))
})

test('a hundred thousand diagnostics and events are kept in bounded memory, the latest of each', () => {
  const { recording, did, changed } = recordingOf()
  const job = connection(followed('1'), 'live')
  for (let round = 0; round < 20_000; round++) {
    did({ type: 'probe-started' }, 'sse')
    did({ type: 'live', afterMs: 1 }, 'sse')
    changed(job, event(round, `type-${round}`))
    did({ type: 'suspected', silentMs: 1 }, 'sse')
    did({ type: 'lost', afterMs: 1, reason: 'cut', events: 1 }, 'sse')
    did({ type: 'waiting', ms: 1, reason: 'unreachable' })
    recording.mark(round, 'click', 'You clicked.')
  }
  expect(sizes(recording)).toEqual({
    clients: 1,
    jobs: 1,
    entries: 2000,
    marks: 100,
    bars: 300,
    pauses: 300,
    moments: 300,
    ticks: expect.any(Number),
    types: 21
  })
  expect(sizes(recording).ticks).toBeLessThanOrEqual(4000)
  expect(recording.entries.total).toBe(120_000)
  expect(recording.entries.since(0).at(-2)?.about).toMatchObject({ type: 'waiting' })
  expect(recording.jobs.all).toMatchObject([{ events: 20_000 }])
})

test('events at a thousand a second for a quarter of an hour: ticks grow coarse before the oldest go', () => {
  const { recording, changed } = recordingOf()
  const job = connection(followed('1'), 'live')
  for (let count = 0; count < 900_000; count++) changed(job, event(1))
  const [ticks = []] = [...(recording.clients[0]?.history.ticks.values() ?? [])]
  expect(ticks.length).toBeGreaterThan(2400)
  expect(ticks.length).toBeLessThanOrEqual(4000)
  expect((ticks.at(-1) ?? 0) - (ticks[0] ?? 0)).toBeGreaterThan(600_000) // the longest time that is shown
})

test('a thousand clients and jobs: the latest, and what is followed before what has ended', () => {
  const { recording, did, changed } = recordingOf()
  const lasting = connection(followed('lasting'), 'live')
  changed(lasting)
  for (let count = 0; count < 1000; count++) {
    const each = client()
    did({ type: 'probe-started' }, 'sse', each)
    changed(connection(followed(`${count}`), 'closed'), undefined, each)
  }
  expect(recording.clients.map(({ number }) => number)).toEqual(Array.from({ length: 20 }, (_, index) => 982 + index))
  expect(recording.jobs.all).toHaveLength(50)
  expect(recording.jobs.all.map(({ id }) => id)).toContain('lasting')
})

test('a client rests once none of its jobs is followed', () => {
  const { recording, did, changed } = recordingOf()
  const [one, two] = [connection(followed('1'), 'live'), connection(followed('2'), 'live')]
  did({ type: 'live', afterMs: 1 }, 'sse')
  for (const job of [one, two]) changed(job)
  const live = () => recording.clients[0]?.history.bars.filter(({ to }) => to === undefined).length
  changed(connection(one, 'closed'))
  expect(live()).toBe(1)
  changed(connection(two, 'idle'))
  expect(live()).toBe(0)
})

test('two subscriptions to a job are two, each with its own events and gaps', () => {
  const { recording, did, changed } = recordingOf()
  const [one, two] = [followed('1'), followed('1')]
  for (const job of [one, two]) changed(connection(job, 'live'))
  one.state = reduceJob(one.state, event(1) as never) // as: an event of its kind
  changed(one, event(1))
  did({ type: 'gap', job: '1', missed: 3 })
  did({ type: 'gap', job: '1' })
  did({ type: 'gap', job: 'unknown' })
  expect(recording.jobs.all).toMatchObject([
    { id: '1', events: 1, gaps: 1, missed: 3, state: { progress: { ratio: 1e-6 } } },
    { id: '1', events: 0, gaps: 1, missed: 0 }
  ])
})
