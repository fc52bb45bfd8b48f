import type http from 'node:http'
import { json } from 'node:stream/consumers'
import { parseFaults } from './proxy/faults.ts'
import type { FaultyProxy } from './proxy.ts'

/** `GET /_proxy` answers with the proxy's state. `POST /_proxy` with `{ faults?, cut?, awayMs? }` changes it first. */
export async function answerControl(proxy: FaultyProxy, req: http.IncomingMessage, res: http.ServerResponse): Promise<void> {
  const answer = (status: number, body: unknown): void => {
    res.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' }).end(JSON.stringify(body))
  }
  try {
    if (req.method === 'POST') {
      // Browsers send this type to another origin only after a preflight, which this server does not allow: other sites can't change anything.
      if (req.headers['content-type'] !== 'application/json') return answer(415, { error: 'expected application/json' })
      await change(proxy, req)
    }
    answer(200, { faults: proxy.faults, awayMs: Math.round(proxy.awayMs), connections: proxy.connections })
  } catch (error) {
    answer(400, { error: String(error) })
  }
}

async function change(proxy: FaultyProxy, req: http.IncomingMessage): Promise<void> {
  const { faults, cut, awayMs } = ((await json(req)) ?? {}) as { faults?: unknown; cut?: unknown; awayMs?: unknown } // as: any JSON; each field is checked below
  if (faults !== undefined) proxy.set(parseFaults(faults))
  if (cut === true) proxy.cut()
  if (awayMs === 0) proxy.back()
  else if (typeof awayMs === 'number' && awayMs > 0 && awayMs <= 600_000) proxy.awayFor(awayMs)
}
