import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { OnFinished } from './example.ts'

/** Stands before a server, and cuts the connections to it. */
export async function startRelay(port: number, onFinished: OnFinished): Promise<{ base: string; requests(): number; cut(): void }> {
  const nears = new Set<Socket>()
  let requests = 0
  const relay = createServer((near) => {
    nears.add(near)
    const far = connect(port, '127.0.0.1')
    for (const [from, to] of [
      [near, far],
      [far, near]
    ] as const) {
      from.pipe(to)
      from.on('error', () => {}) // 'close' follows
      from.on('close', () => to.destroy())
    }
    near.on('data', () => {
      requests += 1 // small ones without a body come in one piece
    })
    near.on('close', () => nears.delete(near))
  })
  const cut = (): void => {
    for (const near of nears) near.destroy()
  }
  relay.listen(0, '127.0.0.1')
  await once(relay, 'listening')
  onFinished(() => {
    relay.close()
    cut()
  })
  // as: it listens on TCP
  return { base: `http://127.0.0.1:${(relay.address() as AddressInfo).port}/jobs`, requests: () => requests, cut }
}
