/** §2 and §6: windows, the number of bytes that a reader can take. */

import { type Clause, clauseOf } from '../clause.ts'
import { type CheckContext, type Log, oncePerContext } from '../context.ts'
import { expect, LeftOut, need } from '../finding.ts'
import type { Fields } from '../http.ts'
import { MAX_EVENTS } from '../log.ts'
import { isSameSeqs, readingIn } from '../readings.ts'
import type { Socket } from '../socket.ts'
import { controlsIn, eventsIn } from '../transcript.ts'
import type { Streaming } from './streaming.ts'

/** The smallest window. A server sends one event nevertheless. */
export const SMALL = { window: '1' }
/** How long a socket whose window is used up has to stay silent. */
const QUIET_MS = 500
const GRANTED = 2 ** 30

/** Throws `LeftOut` where as many events came as without a window: the server doesn't know windows. */
export function expectWindow(events: readonly Fields[], { events: log }: Log): void {
  if (events.length >= Math.min(log.length, MAX_EVENTS)) throw new LeftOut('the server does not know ?window: as much came as without it')
}

/** Whether these are the first events of the log, at least one. */
export const isBeginning = (events: readonly Fields[], { events: log }: Log): boolean => events.length > 0 && isSameSeqs(events, log.slice(0, events.length))

export const jsonWindow: Clause = clauseOf('short-poll')(
  'json-window',
  '§3, §6',
  'With ?window=N an answer has about N bytes of events, at least one event, and says that there is more',
  async (context) => {
    const log = await context.log()
    await context.wholeJson()
    const exchange = await context.askJson([{ job: log.job }], { params: SMALL })
    const reading = readingIn(exchange)
    expect(reading, exchange.asked, '200 with "events"', exchange.came)
    expectWindow(reading.events, log)
    expect(isBeginning(reading.events, log) && reading.answer.more === true, exchange.asked, 'the first events, with "more":true', exchange.came)
  }
)

/** The clause of a stream that ends with its window. */
export const streamWindow = ({ group, prefix, section, whole, open }: Streaming): Clause =>
  clauseOf(group)(
    `${prefix}-window`,
    `${section}, §6`,
    'With ?window=N a stream of a longer log ends after N bytes of events with bye and the reason window',
    async (context) => {
      const log = await context.log()
      need((await whole(context)).frames().length, 'nothing came')
      const stream = await open(context, [{ job: log.job }], SMALL)
      await stream.until(() => stream.frames().some(({ control }) => control === 'bye' || control === 'done'))
      stream.close()
      const events = eventsIn(stream, log.job)
      expectWindow(events, log)
      const last = stream.frames().at(-1)
      const isMet = isBeginning(events, log) && last?.control === 'bye' && last.reason === 'window' && last.retryMs === 0
      expect(isMet, stream.asked, 'the first events, then "bye" with "reason":"window","retryMs":0', stream.came())
    }
  )

interface Held {
  log: Log
  socket: Socket
  /** The events that came before the client sent a message. */
  events: readonly Fields[]
}

/** A socket whose window is used up. */
const heldSocket = oncePerContext(async (context: CheckContext): Promise<Held> => {
  const log = await context.log()
  need((await context.wholeSocket()).frames().length, 'nothing came')
  const socket = need(await context.socket([{ job: log.job }], { params: SMALL }), 'no WebSocket came')
  await socket.until(() => eventsIn(socket, log.job).length > 0)
  await socket.until(() => eventsIn(socket, log.job).length >= log.events.length, QUIET_MS)
  return { log, socket, events: eventsIn(socket, log.job) }
})

const clause = clauseOf('websocket')

export const socketWindows: readonly Clause[] = [
  clause('ws-window', '§6', 'With ?window=N a socket is sent about N bytes of events, and pongs after that', async (context) => {
    const { log, socket, events } = await heldSocket(context)
    expectWindow(events, log)
    expect(isBeginning(events, log) && socket.ended() === undefined, socket.asked, 'the first events, and a socket that stays open', socket.came())
    need(controlsIn(await pinged(context), 'pong').length, 'a ping is not answered')
    socket.send({ op: 'ping' })
    const hasPong = await socket.until(() => controlsIn(socket, 'pong').length > 0)
    expect(hasPong, `${socket.asked}, then {"op":"ping"}`, '"pong"', socket.came())
  }),
  clause('ws-window-more', '§6', 'The operation window lets that many more bytes come', async (context) => {
    const { log, events } = await heldSocket(context)
    expectWindow(events, log)
    const socket = need(await context.socket([{ job: log.job }], { params: SMALL }), 'no WebSocket came')
    await socket.until(() => eventsIn(socket, log.job).length > 0)
    const operation = { op: 'window', bytes: GRANTED }
    socket.send(operation)
    const came = await socket.until(() => eventsIn(socket, log.job).some(({ seq }) => seq === log.last.seq))
    socket.close()
    expect(came, `${socket.asked}, then ${JSON.stringify(operation)}`, `the event with seq ${log.last.seq}`, socket.came())
  })
]

async function pinged(context: CheckContext): Promise<Socket> {
  const { job } = await context.log()
  const socket = await context.socket([{ job }])
  if (socket.opened) socket.send({ op: 'ping' })
  await socket.until(() => controlsIn(socket, 'pong').length > 0)
  socket.close()
  return socket
}
