/**
 * Follows a job by one backend, with the defaults of a client, and tells the driver what it sees. `?backend=` which, `?job=` the job, `?url=` where.
 * After a reload it goes on after the last event that it had. What it had is in its session storage: what an unloading page tells may be lost.
 */

import { createClient } from '../../src/index.ts'
import { type SubjectName, subjects } from '../../test/backends/subjects.ts'

export interface Seen {
  id: string
  seq: number
  type: string
  step: number | undefined
}

/** All that a page knows. */
export interface Told {
  /** The events, also those from before a reload. */
  events: Seen[]
  /** The connection's phase; empty before it is known. */
  phase: string
  /** How the loop has ended. */
  over: string | undefined
}

const KEY = 'events'
const wishes = new URLSearchParams(location.search)
const wish = (name: string): string => wishes.get(name) ?? ''
const { tell } = window as unknown as { tell(told: Told): Promise<void> } // as: the driver's

const told: Told = { events: JSON.parse(sessionStorage.getItem(KEY) ?? '[]'), phase: '', over: undefined }
const { backend, stepOf } = subjects[wish('backend') as SubjectName] // as: the test's
const job = createClient({ url: wish('url'), backend }).subscribe(wish('job'), { after: told.events.at(-1)?.id })
job.onChange(() => {
  told.phase = job.state.connection.phase
  void tell(told)
})
try {
  for await (const event of job) {
    told.events.push({ id: event.id, seq: event.seq, type: event.type, step: stepOf(event) })
    sessionStorage.setItem(KEY, JSON.stringify(told.events))
    void tell(told)
  }
  told.over = 'ended'
} catch (error) {
  told.over = `${error}`
}
void tell(told)
