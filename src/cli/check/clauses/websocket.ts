/** §5: WebSocket. */

import { SUBPROTOCOL } from '../../../protocol/rules.ts'
import { type Clause, clauseOf } from '../clause.ts'
import { expect, LeftOut, need } from '../finding.ts'
import { FOREIGN_ORIGIN } from '../readings.ts'
import type { Socket } from '../socket.ts'
import { controlsIn } from '../transcript.ts'
import { operationClauses } from './operations.ts'
import { type Streaming, streamingClauses } from './streaming.ts'
import { socketWindows } from './window.ts'

const clause = clauseOf('websocket')

const LINGER_S = 10

const streaming: Streaming = {
  group: 'websocket',
  prefix: 'ws',
  section: '§5',
  whole: (context) => context.wholeSocket(),
  open: (context, asks, params = {}) => context.socket(asks, { params })
}

export const websocketClauses: readonly Clause[] = [
  clause('ws-answers', '§5', 'Upgrade: websocket at {base}/{id}/events opens a socket', async (context) => {
    const job = need(context.jobs.finished, context.jobs.why ?? '')
    const socket = await context.socket([{ job }])
    socket.close()
    if (!context.required.has('websocket') && socket.status !== undefined && socket.status < 500)
      throw new LeftOut(`the server offers no WebSocket: ${socket.status}`)
    expect(socket.opened || isSubprotocolError(socket), socket.asked, '101', socket.came())
  }),
  clause('ws-subprotocol', '§5', `The server selects ${SUBPROTOCOL}, and no other offered subprotocol`, async (context) => {
    const job = need(context.jobs.finished, context.jobs.why ?? '')
    const socket = await context.socket([{ job }])
    socket.close()
    if (!isSubprotocolError(socket)) need(socket.opened, 'no WebSocket came')
    expect(socket.protocol === SUBPROTOCOL, socket.asked, `Sec-WebSocket-Protocol: ${SUBPROTOCOL}`, socket.protocol || socket.came())
  }),
  clause('ws-no-subprotocol', '§5', `A handshake that does not offer ${SUBPROTOCOL} is refused by HTTP`, async (context) => {
    const { job } = await context.log()
    await context.wholeSocket()
    const socket = await context.socket([{ job }], { protocols: ['other.v1'] })
    socket.close()
    expect(!socket.opened && !isSubprotocolError(socket), socket.asked, 'an HTTP answer with 4xx', socket.came())
  }),
  clause('ws-origin', '§5, §8.4', 'A handshake of a page of a foreign origin is refused by HTTP', async (context) => {
    if (context.anyOrigin) throw new LeftOut('the server is meant for pages of every origin')
    const { job } = await context.log()
    await context.wholeSocket()
    const socket = await context.socket([{ job }], { headers: { origin: FOREIGN_ORIGIN } })
    socket.close()
    expect(!socket.opened, socket.asked, 'an HTTP answer with 403', socket.came())
  }),
  clause('ws-hello-alone', '§5', 'hello is alone in its message', async (context) => {
    const socket = await context.wholeSocket()
    need(controlsIn(socket, 'hello').length, 'no hello came')
    expect(!Array.isArray(socket.messages[0]), socket.asked, 'a message with "hello" and nothing else', socket.messages[0])
  }),
  ...streamingClauses(streaming),
  ...socketWindows,
  clause('ws-url', '§6', 'The subscribed of a job that the URL names has no ref', async (context) => {
    const socket = await context.wholeSocket()
    const [found] = need(controlsIn(socket, 'subscribed').length > 0 && controlsIn(socket, 'subscribed'), 'no subscribed came')
    expect(found?.ref === undefined, socket.asked, '"subscribed" without "ref"', found)
  }),
  clause('ws-empty', '§5', 'At {base}/events a socket may be opened without a job', async (context) => {
    await context.wholeSocket()
    const socket = await context.socket([])
    await socket.until(() => socket.frames().length > 0)
    const isOpen = socket.opened && socket.ended() === undefined && controlsIn(socket, 'error').length === 0
    socket.close()
    expect(isOpen, socket.asked, 'a socket that stays open', socket.came())
  }),
  ...operationClauses,
  clause('ws-unknown', '§5', 'A job that cannot be read: hello, an error 404 with the code unknown-job, a close with 4404', async (context) => {
    await context.wholeSocket()
    const socket = await context.socket([{ job: context.unknown }])
    await socket.until(() => false)
    socket.close()
    const [error] = controlsIn(socket, 'error')
    const isRefused = error?.status === 404 && error.code === 'unknown-job' && socket.closeCode() === 4404
    expect(isRefused, socket.asked, '"error" with 404 and unknown-job, then a close with 4404', socket.came())
    if (controlsIn(await context.wholeSocket(), 'hello').length > 0)
      expect(socket.frames()[0]?.control === 'hello', socket.asked, '"hello" before the "error"', socket.came())
  }),
  clause('ws-linger', '§5', `Without a subscription the socket stays open for ${LINGER_S} s, then it closes with 1000`, async (context) => {
    await context.wholeSocket()
    const socket = await context.socket([])
    need(socket.opened, 'no socket without a job')
    const began = performance.now()
    await socket.until(() => false, LINGER_S * 1000 + context.target.limitMs)
    const afterMs = performance.now() - began
    socket.close()
    const isMet = socket.closeCode() === 1000 && afterMs > LINGER_S * 900
    expect(isMet, socket.asked, `a close with 1000 after ${LINGER_S} s`, `${socket.ended()} after ${Math.round(afterMs)} ms`)
  })
]

/** Whether the socket failed because `ws` doesn't accept the selected subprotocol: one that was not offered, or none. */
const isSubprotocolError = (socket: Socket): boolean => /subprotocol/i.test(socket.ended() ?? '')
