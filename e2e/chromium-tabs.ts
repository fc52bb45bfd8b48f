/** Drives Chromium by the DevTools protocol (https://chromedevtools.github.io/devtools-protocol/), since Playwright makes every tab visible. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { findBrowser, launchOptions } from '../test/setup/browsers.ts'

export interface ChromiumTab {
  /** Brings the tab to the front, which hides the one before it. */
  activate(): Promise<void>
  /** Evaluates an expression in the page, awaits it there, and returns its value, which has to be JSON. */
  evaluate<T>(expression: string): Promise<T>
  send(method: string, params?: object): Promise<unknown>
  close(): Promise<void>
}

export interface ChromiumTabs {
  /** Sends a signal to all processes of the browser. */
  signal(name: 'SIGSTOP' | 'SIGCONT'): void
  /** Opens a tab in the existing window, or in a window of its own, where it stays visible beside the others. */
  open(url: string, newWindow?: boolean): Promise<ChromiumTab>
  close(): Promise<void>
}

interface Message {
  id?: number
  result?: unknown
  error?: { message: string }
}

type Send = <T>(method: string, params?: object, sessionId?: string) => Promise<T>

async function connect(url: string): Promise<{ send: Send; close(): void }> {
  const socket = new WebSocket(url)
  await once(socket, 'open')
  const pending = new Map<number, PromiseWithResolvers<never>>()
  let last = 0
  socket.onmessage = ({ data }) => {
    const { id, result, error }: Message = JSON.parse(String(data))
    if (id === undefined) return
    const call = pending.get(id)
    pending.delete(id)
    if (error) call?.reject(new Error(error.message))
    else call?.resolve(result as never) // as: the caller knows the type
  }
  return {
    send(method, params = {}, sessionId) {
      const call = Promise.withResolvers<never>()
      last += 1
      pending.set(last, call)
      socket.send(JSON.stringify({ id: last, method, params, ...(sessionId && { sessionId }) }))
      return call.promise
    },
    close: () => socket.close()
  }
}

export async function startChromiumTabs(): Promise<ChromiumTabs> {
  const path = findBrowser('chromium')
  if (path === undefined) throw new Error('no chromium found')
  const profile = await mkdtemp(join(tmpdir(), 'jobtail-chromium-'))
  const { args = [] } = launchOptions('chromium', path)
  const own = ['--headless=new', '--remote-debugging-port=0', `--user-data-dir=${profile}`, 'about:blank']
  const child = spawn(path, [...args, ...own], { stdio: ['ignore', 'ignore', 'pipe'], detached: true })
  const over = once(child, 'exit')
  const kill = (): void => {
    try {
      process.kill(-pid, 'SIGKILL')
    } catch {
      // the process group has ended already
    }
  }
  const { pid } = child as { pid: number } // as: without a pid nothing was started, and the next wait throws
  process.once('exit', kill)

  async function stop(): Promise<void> {
    process.off('exit', kill)
    kill()
    await over
    await rm(profile, { recursive: true, force: true, maxRetries: 5 })
  }

  async function address(): Promise<string> {
    for await (const line of createInterface({ input: child.stderr })) {
      const [, url] = /^DevTools listening on (ws:.*)$/.exec(line) ?? []
      if (url) return url
    }
    throw new Error('chromium ended before it listened')
  }

  try {
    const { send, close } = await connect(await address())
    child.stderr.resume()
    return {
      signal: (name) => process.kill(-pid, name),
      async open(url, newWindow = false) {
        const { targetId } = await send<{ targetId: string }>('Target.createTarget', { url, newWindow })
        const { sessionId } = await send<{ sessionId: string }>('Target.attachToTarget', { targetId, flatten: true })
        return {
          activate: () => send('Target.activateTarget', { targetId }),
          async evaluate<T>(expression: string) {
            const told = await send<{ result: { value: T }; exceptionDetails?: { exception?: { description?: string }; text: string } }>(
              'Runtime.evaluate',
              { expression: `(async () => (${expression}))()`, awaitPromise: true, returnByValue: true },
              sessionId
            )
            const { exceptionDetails } = told
            if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text)
            return told.result.value
          },
          send: (method, params) => send(method, params, sessionId),
          close: () => send('Target.closeTarget', { targetId })
        }
      },
      async close() {
        close()
        await stop()
      }
    }
  } catch (error) {
    await stop()
    throw error
  }
}
