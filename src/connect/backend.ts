import { jsonOf } from '../backend/input.ts'
import { expected } from '../protocol/rules.ts'
import type { Backend, Link, OpenRequest, Transport } from '../types.ts'
import { createCalls } from './calls.ts'
import { poll, readOnce, stream } from './follow.ts'
import { snapshotOf } from './from-response.ts'
import { type ConnectOptions, settingsOf } from './options.ts'

/**
 * A backend for servers that have the service `jobtail.v1.JobService`, by Connect or gRPC-Web. The frames are those of Jobtail's own protocol, with the server's
 * own numbers: everything that the client promises holds, one call carries many jobs, and its transports can stand in a list with Jobtail's own.
 *
 * It has two transports: `connect`, one call that streams, and `connect-poll`, a short call again and again, for paths that hold back what is streamed.
 *
 * ```ts
 * const client = createClient({ url: '/', backend: connect({ transport: createConnectTransport }) })
 * ```
 *
 * @throws JobtailError `bad-request` for an invalid option
 */
export function connect(options: ConnectOptions): Backend {
  const { timeoutMs } = settingsOf(options)
  const calls = createCalls(options)
  const transport = (name: string, read: (request: OpenRequest) => Link['frames'], polls = false): Transport => ({
    name,
    ...(polls && { traits: { polls: 'short' } as const }),
    isSupported: ({ fetch }) => typeof fetch === 'function',
    open: (request) => ({ frames: read(request) })
  })
  return {
    transports: [transport('connect', (request) => stream(request, calls, timeoutMs)), transport('connect-poll', (request) => poll(request, calls), true)],
    readOnce: transport('connect-read-once', (request) => readOnce(request, calls)),
    expected,
    async snapshot(request, job) {
      return snapshotOf(await calls.unary(request, `snapshot of job ${job}`, (service, how) => service.snapshot({ job }, how)))
    },
    async start(request, input, idempotencyKey) {
      const given = input === undefined ? {} : { inputJson: jsonOf(input) }
      return snapshotOf(await calls.unary(request, 'start a job', (service, how) => service.start({ ...given, idempotencyKey }, how)))
    },
    async cancel(request, job) {
      await calls.unary(request, `cancel job ${job}`, (service, how) => service.cancel({ job }, how))
    }
  }
}
