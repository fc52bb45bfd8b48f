import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

export interface Relay {
  url: string
  /** The next script, or other command, still reaches Redis, and its answer nobody: the connection is cut instead. */
  swallowAnswer(command?: string): void
  /** How many answers were swallowed. */
  swallowed(): number
  close(): void
}

/** Stands between a log and its Redis. */
export async function startRelay(port: number): Promise<Relay> {
  let armedFor: RegExp | undefined
  let swallowed = 0
  const sockets = new Set<Socket>()
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1')
    let isAsked = false
    const cut = () => {
      near.destroy()
      far.destroy()
    }
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on('error', () => {}) // 'close' follows
      socket.on('close', cut)
    }
    near.on('data', (bytes) => {
      isAsked ||= armedFor?.test(bytes.toString('latin1')) ?? false
      far.write(bytes)
    })
    far.on('data', (bytes) => {
      if (!isAsked) return near.write(bytes)
      armedFor = undefined
      swallowed += 1
      cut()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    url: `redis://127.0.0.1:${address.port}`,
    swallowAnswer(command = 'evalsha') {
      armedFor = new RegExp(command, 'i')
    },
    swallowed: () => swallowed,
    close() {
      server.close()
      for (const socket of sockets) socket.destroy()
    }
  }
}
