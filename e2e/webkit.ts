/** Drives WebKitGTK by W3C WebDriver (https://www.w3.org/TR/webdriver2/): the build that distributions ship. Playwright's WebKit is another one. */

import { once } from 'node:events'
import net from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { findWebKit } from '../test/setup/webkit.ts'
import type { Engine, Tab } from './engines.ts'
import { startProcess } from './process.ts'

const START_MS = 30_000
const POLL_MS = 25

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo // as: it listens on a port
  await new Promise((resolve) => server.close(resolve))
  return port
}

type Call = <T>(method: 'GET' | 'POST' | 'DELETE', path: string, body?: object) => Promise<T>

function createCall(origin: string): Call {
  return async (method, path, body) => {
    const response = await fetch(origin + path, { method, ...(body && { body: JSON.stringify(body) }) })
    const { value } = (await response.json()) as { value: never } // as: the standard's form of an answer
    if (!response.ok) throw new Error(`WebDriver: ${method} ${path}: ${JSON.stringify(value)}`)
    return value
  }
}

async function untilReady(call: Call): Promise<void> {
  const deadline = performance.now() + START_MS
  for (;;) {
    try {
      if ((await call<{ ready: boolean }>('GET', '/status')).ready) return
    } catch (error) {
      if (performance.now() > deadline) throw error
    }
    await delay(POLL_MS)
  }
}

interface Session {
  sessionId: string
  capabilities: { browserVersion: string }
}

export async function startWebKit(): Promise<Engine> {
  const found = findWebKit()
  if (!found) throw new Error('no WebKit found')
  const display = startProcess(found.display, ['-displayfd', '1', '-screen', '0', '1280x800x24', '-nolisten', 'tcp'])
  const { stdout } = display.child
  const [number] = await once(stdout as NonNullable<typeof stdout>, 'data', { signal: AbortSignal.timeout(START_MS) }) // as: `stdio` has a pipe there
  const port = await freePort()
  const driver = startProcess(found.driver, ['--host=127.0.0.1', `--port=${port}`], { DISPLAY: `:${String(number).trim()}`, GDK_BACKEND: 'x11' })
  driver.child.stdout?.resume()
  const stop = async (): Promise<void> => {
    await driver.stop()
    await display.stop()
  }
  try {
    const call = createCall(`http://127.0.0.1:${port}`)
    await untilReady(call)
    const alwaysMatch = { browserName: 'MiniBrowser', 'webkitgtk:browserOptions': { binary: found.browser, args: ['--automation'] } }
    const { sessionId, capabilities } = await call<Session>('POST', '/session', { capabilities: { alwaysMatch } })
    const home = await call<string>('GET', `/session/${sessionId}/window`)
    return createEngine({ call, sessionId, home, version: capabilities.browserVersion, stop })
  } catch (error) {
    await stop()
    throw error
  }
}

interface EngineOptions {
  call: Call
  sessionId: string
  /** The window that the session began with. */
  home: string
  version: string
  stop(): Promise<void>
}

function createEngine({ call, sessionId, home, version, stop }: EngineOptions): Engine {
  const session = `/session/${sessionId}`
  let turn: Promise<unknown> = Promise.resolve()
  /** Runs tasks one after the other, since a session addresses one window at a time. */
  const inTurn = <T>(act: () => Promise<T>): Promise<T> => {
    const mine = turn.then(act)
    turn = mine.catch(() => {}) // the caller gets the error
    return mine
  }

  const commandAt =
    (handle: string): Call =>
    (...command) =>
      inTurn(async () => {
        await call('POST', `${session}/window`, { handle })
        return call(...command)
      })

  async function open(url: string): Promise<Tab> {
    // A window, not a tab: a tab that is not in front is hidden, and its timers are throttled.
    const { handle } = await commandAt(home)<{ handle: string }>('POST', `${session}/window/new`, { type: 'window' })
    const at = commandAt(handle)
    const execute = <T>(script: string): Promise<T> => at('POST', `${session}/execute/sync`, { script, args: [] })
    let evaluations = 0
    const tab: Tab = {
      async goto(address) {
        await at('POST', `${session}/url`, { url: address })
      },
      async back() {
        await at('POST', `${session}/back`, {})
      },
      // Polled rather than awaited, so that the session's other windows have their turns meanwhile.
      async evaluate<T>(expression: string) {
        const slot = `window[Symbol.for('evaluation ${++evaluations}')]`
        await execute(
          `const slot = ${slot} = {}; (async () => (${expression}))().then((value) => { slot.settled = { value } }, (error) => { slot.settled = { error: String(error) } })`
        )
        for (;;) {
          const settled = await execute<{ value: T; error?: string } | null | false>(`return ${slot} ? ${slot}.settled ?? null : false`)
          if (settled === false) throw new Error(`the page was left before this had a value: ${expression}`)
          if (settled?.error !== undefined) throw new Error(settled.error)
          if (settled) return settled.value
          await delay(POLL_MS)
        }
      },
      async close() {
        await at('DELETE', `${session}/window`)
      }
    }
    await tab.goto(url)
    return tab
  }

  return {
    name: 'webkit',
    version,
    open,
    async close() {
      await inTurn(() => call('DELETE', session)).catch(() => {}) // the processes end in any case
      await stop()
    }
  }
}
