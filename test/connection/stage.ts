/** A connection with scripted transports, in fake time. Records what it opened, what it reported, and what its readers got. */

import { expect, vi } from 'vitest'
import { macrotask } from '../../src/async/clock.ts'
import { type Connection, type ConnectionOptions, createConnection } from '../../src/connection/connection.ts'
import type { Credentials } from '../../src/credentials.ts'
import type { JobtailError } from '../../src/errors.ts'
import { createPage } from '../../src/page.ts'
import type { ErrorControl, Frame, Hello } from '../../src/protocol/frames.ts'
import type { ConnectionState, DiagnosticDetail, OpenRequest, Transport } from '../../src/types.ts'
import type { Recorder } from '../delivery/recorder.ts'
import { type ScriptedLink, scriptLink } from '../link/scripted-link.ts'

export const hello: Hello = { control: 'hello', protocol: 1, heartbeatMs: 2000, mux: 128 }

export const error = (status: number, job?: string, retryAfterMs?: number): ErrorControl => ({
  control: 'error',
  status,
  code: 'some-code',
  message: 'says why',
  ...(job === undefined ? {} : { job }),
  ...(retryAfterMs === undefined ? {} : { retryAfterMs })
})

export const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms)

export interface Wire extends ScriptedLink {
  readonly transport: string
  readonly request: OpenRequest
}

export interface Stage {
  readonly connection: Connection
  /** Every link that was opened. */
  readonly opened: Wire[]
  /** The links of single reads. */
  readonly reads: Wire[]
  readonly said: ({ transport: string | undefined } & DiagnosticDetail)[]
  /** The error that each reader got. */
  readonly failed: Map<Recorder, JobtailError>
  /** The latest state. */
  readonly state: ConnectionState | undefined
  /** The `mux` of each `hello`. */
  readonly muxes: number[]
  /** The frames of the first link, or of the named transport's latest one. */
  wire(transport?: string): Wire
  push(...frames: Frame[]): Promise<void>
  has(type: DiagnosticDetail['type']): boolean
  /** Releases everything. */
  close(): Promise<void>
}

export interface StageOptions extends Partial<ConnectionOptions> {
  /** The names of the transports, in order of preference. */
  names?: readonly string[]
}

export async function carry(readers: readonly Recorder[], { names = ['sse'], ...options }: StageOptions = {}): Promise<Stage> {
  const opened: Wire[] = []
  const said: Stage['said'] = []
  const muxes: number[] = []
  const failed = new Map<Recorder, JobtailError>()
  let state: ConnectionState | undefined

  const transport = (name: string): Transport => ({
    name,
    isSupported: () => true,
    open(request) {
      const wire: Wire = Object.assign(scriptLink(request.signal), { transport: name, request })
      opened.push(wire)
      return wire
    }
  })
  const credentials: Credentials = { headers: new Headers({ 'x-own': 'yes' }), token: 'secret' }
  const connection = createConnection({
    transports: names.map(transport),
    readOnce: transport('read-once'),
    request: { base: new URL('https://api.example.com/jobs'), credentials: 'same-origin', fetch, WebSocket },
    firstLook: false,
    staggerMs: 250,
    probeTimeoutMs: 60_000,
    unknownJobGraceMs: 5000,
    bufferBytes: 2 ** 22,
    retry: { baseMs: 250, maxMs: 30_000, attempts: Infinity },
    authorize: async () => credentials,
    canReauthorize: false,
    answeredAt: () => 0,
    hints: { recall: async () => undefined, remember() {} },
    page: createPage(() => {}),
    emit: (detail, name) => said.push({ transport: name, ...detail }),
    warn() {},
    capacity: () => 100,
    onMux: (mux) => muxes.push(mux),
    onSurplus() {},
    ...options
  })
  for (const reader of readers) {
    const setMode = reader.setMode.bind(reader)
    Object.assign(reader, {
      setMode(mode: Recorder['mode']) {
        setMode(mode)
        connection.changed()
      },
      fail(why: JobtailError) {
        failed.set(reader, why)
        connection.remove(reader)
      },
      connection(told: ConnectionState) {
        state = told
      }
    })
    connection.add(reader)
  }
  await pass(0)

  const stage: Stage = {
    connection,
    opened,
    get reads() {
      return opened.filter((each) => each.transport === 'read-once')
    },
    said,
    failed,
    get state() {
      return state
    },
    muxes,
    wire(name) {
      const wire = name === undefined ? opened[0] : opened.findLast((each) => each.transport === name)
      if (!wire) throw new Error(`${name ?? 'nothing'} was not opened`)
      return wire
    },
    async push(...frames) {
      stage.wire().push(frames)
      await pass(0)
    },
    has: (type) => said.some((each) => each.type === type),
    async close() {
      for (const reader of readers) connection.remove(reader)
      // Not at once: a reader may come back within a task.
      for (let tasks = 0; tasks < 3; tasks += 1) await macrotask()
      await pass(0)
      expect(opened.filter(({ request }) => !request.signal.aborted).map(({ transport: name }) => name)).toEqual([])
    }
  }
  return stage
}
