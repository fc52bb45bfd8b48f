/** An event that is appended while a reader connects is not missed, at any moment of connecting. */

import { once } from 'node:events'
import { expect, test } from 'vitest'
import { WebSocket } from 'ws'
import type { Reading } from '../../src/protocol/frames.ts'
import { createJobServer, type JobServer } from '../../src/server/index.ts'
import { serve } from './serve.ts'

/** Waits for that many turns of the microtask queue and of the event loop. */
async function turns(micro: number, macro: number): Promise<void> {
  for (let turn = 0; turn < macro; turn += 1) await new Promise((resolve) => setImmediate(resolve))
  for (let turn = 0; turn < micro; turn += 1) await Promise.resolve()
}

/** The moments of the append: each run appends a little later, from before the request arrives until after its answer has begun. */
const offset = (run: number): [number, number] => [run % 60, Math.floor(run / 60) % 4]

const RUNS = 4000

/** Reads a stream until it contains `text`. */
async function until(body: ReadableStream<Uint8Array>, text: string): Promise<void> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let got = ''
  while (!got.includes(text)) {
    const { done, value } = await reader.read()
    if (done) throw new Error(`the stream ended without ${text}: ${got}`)
    got += decoder.decode(value, { stream: true })
  }
  await reader.cancel()
}

async function begun(jobs: JobServer, job: string, ask: () => Promise<Response>, run: number): Promise<Response> {
  await jobs.publish(job, 'started')
  const answer = ask()
  await turns(...offset(run))
  await jobs.publish(job, 'progress', { run })
  return answer
}

test(`by an event stream, ${RUNS} times`, async () => {
  const jobs = createJobServer()
  for (let run = 0; run < RUNS; run += 1) {
    const request = new Request(`http://localhost/jobs/${run}/events`, { headers: { accept: 'text/event-stream' } })
    const { body } = await begun(jobs, `${run}`, () => jobs.fetch(request), run)
    await until(body as ReadableStream<Uint8Array>, `"data":{"run":${run}}`) // as: a stream has a body
  }
  await jobs.close()
})

test(`by a long poll from the cursor before, ${RUNS} times`, async () => {
  const jobs = createJobServer()
  for (let run = 0; run < RUNS; run += 1) {
    const job = `${run}`
    const { id } = await jobs.publish(job, 'queued')
    const request = new Request(`http://localhost/jobs/${job}/events?after=${id}&wait=55`)
    let after = ''
    const first: Reading = await (await begun(jobs, job, () => jobs.fetch(request), run)).json()
    after = first.events.at(-1)?.id ?? ''
    // An event appended after the answer comes with the next request, from this one's cursor.
    const rest: Reading[] = [first]
    while (!rest.some(({ events }) => events.some(({ type }) => type === 'progress')))
      rest.push(await (await jobs.fetch(new Request(`http://localhost/jobs/${job}/events?after=${after}&wait=55`))).json())
    expect(rest.flatMap(({ events }) => events.map(({ seq }) => seq))).toEqual([2, 3])
  }
  await jobs.close()
})

test('by a WebSocket, 2000 times', async () => {
  const { jobs, base } = await serve()
  for (let run = 0; run < 2000; run += 1) {
    const job = `${run}`
    await jobs.publish(job, 'started')
    const ws = new WebSocket(`${base.replace('http', 'ws')}/${job}/events`, ['jobtail.v1'])
    const seen = new Promise<void>((resolve, reject) => {
      ws.on('error', reject)
      ws.on('message', (text) => String(text).includes(`"data":{"run":${run}}`) && resolve())
    })
    await turns(run % 30, run % 25)
    await jobs.publish(job, 'progress', { run })
    await seen
    ws.close()
    await once(ws, 'close')
  }
})
