import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

export interface Relay {
  url: string
  /** The next script, or another command, still reaches Redis, but its answer is swallowed and the connection closed. */
  swallowAnswer(command?: string): void
  /** Once data with this text has reached Redis, nothing gets through until `restore`. */
  cutAfter(text: string): void
  restore(): void
  /** Delays the data in each direction, in ms. */
  delay(ms: number): void
  /** How many answers were swallowed so far. */
  swallowed(): number
  close(): void
}

/** A TCP relay between a log and its Redis, which a test can make fail. */
export async function startRelay(port: number): Promise<Relay> {
  let armedFor: RegExp | undefined
  let swallowed = 0
  let cutting: string | undefined
  let isCut = false
  let delayMs = 0
  const sockets = new Set<Socket>()
  const pass = (to: Socket, bytes: Buffer): void => {
    if (delayMs > 0) setTimeout(() => to.write(bytes), delayMs)
    else to.write(bytes)
  }
  const server = createServer((near) => {
    if (isCut) return near.destroy()
    const far = connect(port, '127.0.0.1')
    near.setNoDelay()
    far.setNoDelay()
    let isAsked = false
    const cut = () => {
      near.destroy()
      far.end() // the data so far still reaches Redis
    }
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on('error', () => {}) // 'close' follows
      socket.on('close', cut)
    }
    near.on('data', (bytes) => {
      isAsked ||= armedFor?.test(bytes.toString('latin1')) ?? false
      pass(far, bytes)
      if (cutting === undefined || !bytes.includes(cutting)) return
      cutting = undefined
      isCut = true
      for (const socket of sockets) if (socket !== far) socket.destroy()
    })
    far.on('data', (bytes) => {
      if (isCut) return
      if (!isAsked) return pass(near, bytes)
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
    cutAfter(text) {
      cutting = text
    },
    restore() {
      isCut = false
    },
    delay(ms) {
      delayMs = ms
    },
    swallowed: () => swallowed,
    close() {
      server.close()
      for (const socket of sockets) socket.destroy()
    }
  }
}
