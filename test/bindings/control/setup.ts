/** Vitest's global setup: an HTTP server with which pages start and control stages. Pages use it through `createStage` of `../stage.ts`. */

import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import type { TestProject } from 'vitest/node'
import { parseFaults } from '../../../demo/proxy/faults.ts'
import { type ServedStage, startStage } from './stage.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    /** The origin of the server that controls stages. */
    bindingsControl: string
  }
}

/** What a page may ask of a stage: the name of the method, and its arguments. */
export interface ControlRequest {
  method: 'publish' | 'burst' | 'finish' | 'counts' | 'cut' | 'set'
  args: readonly unknown[]
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const stages = new Map<string, ServedStage>()

  /** `POST /` starts a stage, `POST /{id}` calls a method of it, `DELETE /{id}` closes it. */
  async function answer(req: http.IncomingMessage): Promise<unknown> {
    const id = req.url?.slice(1) ?? ''
    if (req.method === 'POST' && !id) {
      const stage = await startStage()
      const name = crypto.randomUUID()
      stages.set(name, stage)
      return { id: name, url: stage.url }
    }
    const stage = stages.get(id)
    if (!stage) throw new Error(`there is no stage ${id}`)
    if (req.method === 'DELETE') {
      stages.delete(id)
      return stage.close()
    }
    const { method, args } = (await json(req)) as ControlRequest // as: stage.ts sends it
    return perform(stage, method, args)
  }

  const server = http.createServer(async (req, res) => {
    const cors = { 'access-control-allow-origin': '*', 'access-control-allow-methods': 'POST, DELETE', 'access-control-max-age': '600' }
    if (req.method === 'OPTIONS') return void res.writeHead(204, cors).end()
    try {
      const text = JSON.stringify((await answer(req)) ?? null)
      res.writeHead(200, { ...cors, 'content-type': 'application/json' }).end(text)
    } catch (error) {
      res.writeHead(500, cors).end(`${error instanceof Error ? error.message : error}`)
    }
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo // as: it listens on TCP
  project.provide('bindingsControl', `http://127.0.0.1:${port}`)
  return async () => {
    await Promise.all([...stages.values()].map((stage) => stage.close()))
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
}

function perform(stage: ServedStage, method: ControlRequest['method'], args: readonly unknown[]): unknown {
  const [first, second, third] = args
  switch (method) {
    case 'publish':
      return stage.publish(String(first), String(second), third)
    case 'burst':
      return stage.burst(String(first), Number(second), Number(third))
    case 'finish':
      return stage.finish(String(first), second)
    case 'counts':
      return stage.counts()
    case 'cut':
      return stage.cut()
    case 'set':
      return stage.set(parseFaults(first))
    default:
      throw new Error(`a stage has no ${method satisfies never}`)
  }
}
