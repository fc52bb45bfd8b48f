/** §§5 and 6: the operations that a client sends over a WebSocket. */

import { type Clause, clauseOf } from '../clause.ts'
import { type CheckContext, type Log, oncePerContext } from '../context.ts'
import { expect, need } from '../finding.ts'
import type { Fields } from '../http.ts'
import { seqsOf } from '../readings.ts'
import type { Socket } from '../socket.ts'
import { controlsIn, eventsIn } from '../transcript.ts'
import { liveOf } from './live.ts'

const clause = clauseOf('websocket')

const REF = 7

export const operationClauses: readonly Clause[] = [
  clause('ws-ping', '§6', 'ping is answered with pong', async (context) => {
    const socket = await bareSocket(context)
    socket.send({ op: 'ping' })
    expect(await socket.until(() => controlsIn(socket, 'pong').length > 0), told(socket, { op: 'ping' }), '"pong"', socket.came())
    socket.close()
  }),
  clause('ws-subscribe', '§5', 'subscribe is answered with subscribed, which echoes ref, and with the events after its cursor', async (context) => {
    const { job, rest } = await context.log()
    const { socket, asked } = await subscribed(context)
    expect(controlsIn(socket, 'subscribed', job)[0]?.ref === REF, asked, `"subscribed" with "ref":${REF}`, socket.came())
    expect(isServed(socket, job, rest), asked, `the events with seq ${seqsOf(rest)}`, socket.came())
  }),
  clause('ws-operations', '§5', 'Operations may come as an array', async (context) => {
    const { job } = await subscribable(context)
    const socket = await bareSocket(context)
    const operations = [
      { op: 'subscribe', job: context.unknown },
      { op: 'subscribe', job, ref: 1 }
    ]
    socket.send(operations)
    const isDone = () => controlsIn(socket, 'subscribed', job).length > 0
    expect(await socket.until(isDone), told(socket, operations), '"subscribed" of the second', socket.came())
    socket.close()
  }),
  clause('ws-again', '§5', 'An ended job can be subscribed again on the same socket', async (context) => {
    const { job } = await subscribable(context)
    const socket = await bareSocket(context)
    const operation = { op: 'subscribe', job, ref: 1 }
    socket.send(operation)
    need(await socket.until(() => controlsIn(socket, 'done').length > 0), 'no done came')
    if (socket.ended() === undefined) socket.send({ ...operation, ref: 2 })
    const isAnswered = () => controlsIn(socket, 'subscribed').some(({ ref }) => ref === 2)
    expect(await socket.until(isAnswered), told(socket, operation, { ...operation, ref: 2 }), '"subscribed" with "ref":2', socket.came())
    socket.close()
  }),
  clause('ws-replace', '§5', 'A subscribe of a subscribed job replaces the earlier one', async (context) => {
    const { job, middle, rest } = await subscribable(context)
    const socket = await bareSocket(context)
    const operations = [
      { op: 'subscribe', job, ref: 1 },
      { op: 'subscribe', job, after: middle.id, ref: 2 }
    ]
    socket.send(operations)
    const replaced = () => socket.frames().findIndex(({ control, ref }) => control === 'subscribed' && ref === 2)
    const cameAfter = () =>
      replaced() === -1
        ? []
        : socket
            .frames()
            .slice(replaced())
            .filter(({ control }) => control === undefined)
    await socket.until(() => cameAfter().at(-1)?.seq === rest.at(-1)?.seq)
    socket.close()
    const expected = `"subscribed" with "ref":2, then the events with seq ${seqsOf(rest)}`
    expect(String(seqsOf(cameAfter())) === String(seqsOf(rest)), told(socket, ...operations), expected, socket.came())
  }),
  clause('ws-unsubscribe', '§5', 'After unsubscribe, no more events of that job come', async (context) => {
    const { job, unsubscribed, appended, after } = await liveOf(context)
    need(appended.length, 'nothing was appended')
    const socket = await unsubscribed
    const pongs = controlsIn(socket, 'pong').length
    if (socket.ended() === undefined) socket.send({ op: 'ping' })
    await socket.until(() => controlsIn(socket, 'pong').length > pongs)
    const seqs = seqsOf(appended)
    const came = eventsIn(socket, job).filter(({ seq }) => seqs.includes(seq))
    expect(came.length === 0, told(socket, { op: 'unsubscribe', job }), `nothing of the job after ${after}`, came)
  }),
  clause('ws-passed-over', '§5', 'Unknown operations are ignored, and so is an unsubscribe of a job that is not subscribed', async (context) => {
    const { job } = await context.log()
    const socket = await bareSocket(context)
    const operations = [{ op: 'jobtail-check' }, { op: 'unsubscribe', job }]
    for (const operation of operations) socket.send(operation)
    need(await pinged(context), 'no pong comes')
    socket.send({ op: 'ping' })
    const hasPong = await socket.until(() => controlsIn(socket, 'pong').length > 0)
    socket.close()
    expect(hasPong && controlsIn(socket, 'error').length === 0, told(socket, ...operations), 'no answer', socket.came())
  }),
  clause('ws-malformed', '§5', 'A malformed operation gets an error 400 without a job, then 4400', async (context) => {
    for (const operation of ['no JSON', { op: 'subscribe' }, { op: 'subscribe', job: 7 }]) {
      const socket = await bareSocket(context)
      socket.send(operation)
      await socket.until(() => false)
      socket.close()
      const errors = controlsIn(socket, 'error')
      const isRefused = errors.length === 1 && errors[0]?.status === 400 && errors[0].job === undefined
      expect(isRefused && socket.closeCode() === 4400, told(socket, operation), '"error" with 400 and no "job", then a close with 4400', socket.came())
    }
  })
]

/** Subscribes the finished job from its middle, by a message. */
const subscribed = oncePerContext(async (context) => {
  const { job, middle, rest } = await context.log()
  const socket = await bareSocket(context)
  const operation = { op: 'subscribe', job, after: middle.id, ref: REF }
  socket.send(operation)
  await socket.until(() => eventsIn(socket, job).length >= rest.length)
  const asked = told(socket, operation)
  socket.close()
  return { socket, asked }
})

const isServed = (socket: Socket, job: string, expected: readonly Fields[]): boolean => String(seqsOf(eventsIn(socket, job))) === String(seqsOf(expected))

/** The finished job's log. Throws `LeftOut` where a simple subscribe isn't answered. */
async function subscribable(context: CheckContext): Promise<Log> {
  const log = await context.log()
  const { socket } = await subscribed(context)
  need(controlsIn(socket, 'subscribed')[0]?.ref === REF && isServed(socket, log.job, log.rest), 'a subscribe is not served')
  return log
}

const told = (socket: Socket, ...operations: unknown[]): string =>
  [socket.asked, ...operations.map((each) => (typeof each === 'string' ? each : JSON.stringify(each)))].join(', then ')

/** Opens a socket that names no job. */
async function bareSocket(context: CheckContext): Promise<Socket> {
  await context.wholeSocket()
  const socket = await context.socket([])
  return need(socket.opened && socket, 'no socket without a job')
}

async function pinged(context: CheckContext): Promise<boolean> {
  const socket = await bareSocket(context)
  socket.send({ op: 'ping' })
  const hasPong = await socket.until(() => controlsIn(socket, 'pong').length > 0)
  socket.close()
  return hasPong
}
