/** §6: a window, which is how many bytes whoever asks can take. */

import { type Clause, clauseOf, expect, LeftOut, need } from '../clause.ts'
import type { Fields } from '../http.ts'
import { type Log, MAX_EVENTS } from '../log.ts'
import { isSameSeqs, readingIn } from '../readings.ts'
import type { Socket } from '../socket.ts'
import { controlsIn, eventsIn } from '../transcript.ts'
import { perWorld, type World } from '../world.ts'

/** Less than any event has: one is sent all the same. */
export const SMALL = { window: '1' }
/** Of a socket that is read no further nothing comes, however long it is waited for. */
const QUIET_MS = 500
const GRANTED = 2 ** 30

/** Of the smallest window: where as much came as without one, the server doesn't know windows. */
export function expectWindow(events: readonly Fields[], { events: log }: Log): void {
  if (events.length >= Math.min(log.length, MAX_EVENTS)) throw new LeftOut('the server does not know ?window: as much came as without it')
}

/** The first events of the log, one at least. */
export const isBeginning = (events: readonly Fields[], { events: log }: Log): boolean => events.length > 0 && isSameSeqs(events, log.slice(0, events.length))

export const jsonWindow: Clause = clauseOf('short-poll')(
  'json-window',
  '§3, §6',
  'With ?window=N an answer has about N bytes of events, one at least, and says that there is more',
  async (world) => {
    const log = await world.log()
    await world.wholeJson()
    const exchange = await world.askJson([{ job: log.job }], { params: SMALL })
    const reading = readingIn(exchange)
    expect(reading, exchange.asked, '200 with "events"', exchange.came)
    expectWindow(reading.events, log)
    expect(isBeginning(reading.events, log) && reading.answer.more === true, exchange.asked, 'the first events, with "more":true', exchange.came)
  }
)

export const sseWindow: Clause = clauseOf('sse')(
  'sse-window',
  '§6',
  'With ?window=N a stream of a longer log ends after N bytes of events with bye, of the reason window',
  async (world) => {
    const log = await world.log()
    need((await world.wholeStream()).frames().length, 'nothing came')
    const stream = await world.stream([{ job: log.job }], { params: SMALL })
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
  /** What came before the client had said anything. */
  events: readonly Fields[]
}

/** A socket whose window is used up. */
const heldSocket = perWorld(async (world: World): Promise<Held> => {
  const log = await world.log()
  need((await world.wholeSocket()).frames().length, 'nothing came')
  const socket = need(await world.socket([{ job: log.job }], { params: SMALL }), 'no WebSocket came')
  await socket.until(() => eventsIn(socket, log.job).length > 0)
  await socket.until(() => eventsIn(socket, log.job).length >= log.events.length, QUIET_MS)
  return { log, socket, events: eventsIn(socket, log.job) }
})

const clause = clauseOf('websocket')

export const socketWindows: readonly Clause[] = [
  clause('ws-window', '§6', 'With ?window=N a socket is sent about N bytes of events, and pongs after that', async (world) => {
    const { log, socket, events } = await heldSocket(world)
    expectWindow(events, log)
    expect(isBeginning(events, log) && socket.over() === undefined, socket.asked, 'the first events, and a socket that stays open', socket.came())
    need(controlsIn(await pinged(world), 'pong').length, 'a ping is not answered')
    socket.send({ op: 'ping' })
    const hasPong = await socket.until(() => controlsIn(socket, 'pong').length > 0)
    expect(hasPong, `${socket.asked}, then {"op":"ping"}`, '"pong"', socket.came())
  }),
  clause('ws-window-more', '§6', 'The operation window lets so many bytes more come', async (world) => {
    const { log, events } = await heldSocket(world)
    expectWindow(events, log)
    const socket = need(await world.socket([{ job: log.job }], { params: SMALL }), 'no WebSocket came')
    await socket.until(() => eventsIn(socket, log.job).length > 0)
    const operation = { op: 'window', bytes: GRANTED }
    socket.send(operation)
    const came = await socket.until(() => eventsIn(socket, log.job).some(({ seq }) => seq === log.last.seq))
    socket.close()
    expect(came, `${socket.asked}, then ${JSON.stringify(operation)}`, `the event with seq ${log.last.seq}`, socket.came())
  })
]

async function pinged(world: World): Promise<Socket> {
  const { job } = await world.log()
  const socket = await world.socket([{ job }])
  if (socket.opened) socket.send({ op: 'ping' })
  await socket.until(() => controlsIn(socket, 'pong').length > 0)
  socket.close()
  return socket
}
