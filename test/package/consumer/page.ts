/** Compiled like a user's page. Every wrong use must be an error, and every right one must compile. */

import {
  type Client,
  type ClientOptions,
  createClient,
  type Diagnostic,
  indexedDbMemory,
  isJobtailError,
  JobFailedError,
  type JobState,
  JobtailError,
  longPoll,
  type Memory,
  type OpenRequest,
  type Subscription,
  shortPoll,
  sse,
  start,
  subscribe,
  type Transport,
  webSocket
} from 'jobtail'
import { createClient as createCoreClient } from 'jobtail/core'
import { explain } from 'jobtail/explain'

interface Video {
  url: string
  seconds: number
}

export async function plain(bar: { value: number }): Promise<void> {
  for await (const event of subscribe('42')) {
    if (event.type === 'progress') bar.value = event.data.ratio ?? 0
    if (event.type === 'failed') console.log(event.data.code.toUpperCase(), event.data.message)
    if (event.type === 'gap') console.log(event.data.missed?.toFixed(), event.data.reason)
    const seq: number = event.seq
    console.log(seq, event.id.length, event.time)
    // @ts-expect-error: the type must be checked first
    event.data.ratio
    // @ts-expect-error: there is no such event
    if (event.type === 'progres') return
  }
}

export async function typed(): Promise<Video> {
  await using job = subscribe<{ succeeded: Video; thumbnail: { url: string } }>('42', { after: 'tail', onGap: 'throw', signal: AbortSignal.timeout(1000) })
  for await (const event of job) {
    if (event.type === 'thumbnail') console.log(event.data.url)
    if (event.type === 'succeeded') console.log(event.data.seconds)
    // @ts-expect-error: a thumbnail has only a url
    if (event.type === 'thumbnail') console.log(event.data.width)
  }
  const state: JobState<{ succeeded: Video }> = job.state
  console.log(state.status, state.connection.phase, state.connection.transport, state.lastEventId)
  // @ts-expect-error: a state is read-only
  state.status = 'running'
  const stop: () => void = job.onChange(() => {})
  stop()
  await job.cancel()
  job.close()
  // @ts-expect-error: the result is of type Video
  const wrong: string = await job.result
  console.log(wrong)
  return job.result
}

export async function whole(input: unknown): Promise<void> {
  const memory: Memory = { read: async () => undefined, write: async () => {} }
  const options: ClientOptions = {
    url: new URL('https://api.example.com/jobs'),
    transports: [webSocket(), sse(), longPoll(), shortPoll()],
    token: async () => 'token',
    headers: () => ({ 'x-tenant': 'a' }),
    credentials: 'include',
    staggerMs: 100,
    probeTimeoutMs: 1000,
    firstLook: false,
    memory: Math.random() < 0.3 ? false : Math.random() < 0.5 ? memory : indexedDbMemory(),
    retry: { attempts: 3 },
    onDiagnostic: (diagnostic: Diagnostic) => console.log(explain(diagnostic), diagnostic.at),
    fetch: globalThis.fetch,
    WebSocket: globalThis.WebSocket
  }
  using client: Client = createClient(options)
  const job: Subscription<{ succeeded: Video }> = await client.start<{ succeeded: Video }>(input, { idempotencyKey: 'a' })
  try {
    const { url } = await job.result
    console.log(url)
  } catch (error) {
    if (error instanceof JobFailedError) console.log(error.code, error.event.seq)
    if (error instanceof JobtailError && error.code === 'history-gone') console.log(error.status, error.transport, error.cause)
    if (isJobtailError(error)) console.log(error.code)
    // @ts-expect-error: there is no such code
    if (isJobtailError(error) && error.code === 'gone') return
  }
  client.close()
  const shared: Subscription<{ succeeded: Video }> = await start<{ succeeded: Video }>(input, { token: 'token', idempotencyKey: 'a', after: 'tail' })
  shared.close()
}

export const mine: Transport = {
  name: 'mine',
  isSupported: () => true,
  open: (request: OpenRequest) => ({
    frames: (async function* () {
      for (const { job } of request.jobs) yield { control: 'done' as const, job, cursor: 'a-1' }
    })()
  })
}

createCoreClient({ transports: [mine] }).close()

// @ts-expect-error: an id is a string
subscribe(42)
// @ts-expect-error: there is no such option
createClient({ stagger: 250 })
// @ts-expect-error: milliseconds are a number
createClient({ staggerMs: '250' })
// @ts-expect-error: onGap is 'yield' or 'throw'
subscribe('42', { onGap: 'ignore' })
// @ts-expect-error: start has no such option
start({}, { key: 'a' })
// @ts-expect-error: the id of the job is missing
subscribe()
// @ts-expect-error: `transports` is required
createCoreClient({})
// @ts-expect-error: the options are required
createCoreClient()
