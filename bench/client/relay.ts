/**
 * Relays TCP with a delay but without a limit of bandwidth, in its own process: `node bench/client/relay.ts <port> <ms each way>`. A connection costs a
 * round trip before its first byte, like a TCP handshake over that distance.
 */

import { once } from 'node:events'
import net, { type AddressInfo, type Socket } from 'node:net'

const [targetPort = 0, oneWayMs = 0] = process.argv.slice(2).map(Number)

/** Reads each end at once, however slow the other end is: bytes that are under way fill no buffer of their sender. */
function pass(from: Socket, to: Socket, notBefore: number): void {
  const queue: { dueAt: number; chunk: Buffer | 'end' }[] = []
  let timer: NodeJS.Timeout | undefined

  function flush(): void {
    timer = undefined
    const now = performance.now()
    for (let next = queue[0]; next; next = queue[0]) {
      if (next.dueAt > now) {
        timer = setTimeout(flush, next.dueAt - now)
        return
      }
      queue.shift()
      if (next.chunk === 'end') to.end(() => from.destroyed && to.destroy())
      else if (to.writable) to.write(next.chunk)
    }
  }

  function add(chunk: Buffer | 'end'): void {
    queue.push({ dueAt: Math.max(performance.now(), notBefore) + oneWayMs, chunk })
    if (timer === undefined) timer = setTimeout(flush, oneWayMs)
  }

  from.on('data', add)
  from.once('end', () => add('end'))
  from.on('error', () => {}) // its close follows
  from.once('close', () => add('end'))
}

const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
  const target = net.connect({ port: targetPort, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
  const connectedAt = performance.now() + 2 * oneWayMs
  pass(client, target, connectedAt)
  pass(target, client, connectedAt)
})
await once(server.listen(0, '127.0.0.1'), 'listening')
process.once('disconnect', () => process.exit())
process.send?.({ port: (server.address() as AddressInfo).port }) // as: it listens on TCP
