/** §8: authorisation and CORS. */

import { eventsUrl, resourceUrl } from '../../../protocol/urls.ts'
import type { Clause } from '../clause.ts'
import type { CheckContext } from '../context.ts'
import { expect, LeftOut, need } from '../finding.ts'
import { isRefusal } from '../http.ts'
import { cancel } from '../jobs.ts'
import { FOREIGN_ORIGIN } from '../readings.ts'
import { controlsIn } from '../transcript.ts'

type Check = (context: CheckContext) => Promise<void>

const EXPOSED = ['etag', 'retry-after', 'location']
const ALLOWED = ['authorization', 'last-event-id', 'if-none-match', 'prefer', 'content-type', 'idempotency-key']

const clause = (id: string, says: string, check: Check, group: Clause['group'] = 'resources'): Clause => ({
  id,
  group,
  section: id.startsWith('cors') ? '§8.5' : id.startsWith('auth') ? '§8.1' : '§8.4',
  says,
  check
})

export const accessClauses: readonly Clause[] = [
  clause('auth-none', 'Without credentials a reading is refused with 401 and the code unauthorized', async (context) => {
    const job = protectedJob(context)
    const exchange = await context.askJson([{ job }], { anonymous: true })
    if (exchange.status === 200) throw new LeftOut('the job can be read without the token as well')
    expect(isRefusal(exchange, 401, 'unauthorized'), exchange.asked, '401 with the code unauthorized', exchange.came)
  }),
  clause(
    'auth-socket',
    'Without credentials a WebSocket gets an error 401, and is closed with 4401',
    async (context) => {
      const job = protectedJob(context)
      await context.wholeSocket()
      const socket = await context.socket([{ job }], { anonymous: true })
      await socket.until(() => controlsIn(socket, 'subscribed').length > 0)
      socket.close()
      if (controlsIn(socket, 'subscribed').length > 0) throw new LeftOut('the job can be read without the token as well')
      const [error] = controlsIn(socket, 'error')
      expect(error?.status === 401 && socket.closeCode() === 4401, socket.asked, '"error" with 401, then a close with 4401', socket.came())
    },
    'websocket'
  ),
  clause('post-origin', 'A POST from a page of a foreign origin is refused with 403', async (context) => {
    if (context.anyOrigin) throw new LeftOut('the server is meant for pages of every origin')
    const plain = await cancel(context.target, context.unknown)
    need(isRefusal(plain, 404, 'unknown-job'), 'the server cancels no jobs')
    const exchange = await cancel(context.target, context.unknown, { origin: FOREIGN_ORIGIN })
    expect(exchange.status === 403, exchange.asked, '403', exchange.came)
  }),
  clause('cors-strange', 'A page of a foreign origin may not read', async (context) => {
    if (context.anyOrigin) throw new LeftOut('the server is meant for pages of every origin')
    const exchange = await readAs(context, FOREIGN_ORIGIN)
    const allowed = exchange.headers.get('access-control-allow-origin')
    expect(allowed !== '*' && allowed !== FOREIGN_ORIGIN, exchange.asked, 'no Access-Control-Allow-Origin for it', allowed)
  }),
  clause('cors-read', 'A page of an allowed origin may read the answer, and ETag, Retry-After and Location', async (context) => {
    const origin = allowedOrigin(context)
    const { asked, headers } = await readAs(context, origin)
    const allowed = headers.get('access-control-allow-origin')
    expect(allowed === origin || allowed === '*', asked, `Access-Control-Allow-Origin: ${origin}`, allowed ?? 'none')
    expect(
      hasAll(headers.get('access-control-expose-headers'), EXPOSED),
      asked,
      `Access-Control-Expose-Headers: ${EXPOSED.join(', ')}`,
      headers.get('access-control-expose-headers') ?? 'none'
    )
  }),
  clause('cors-preflight', 'A preflight allows the headers that clients send, for two hours', async (context) => {
    const origin = allowedOrigin(context)
    const job = need(context.jobs.finished, context.jobs.why ?? '')
    for (const [url, method] of [
      [eventsUrl(context.target.base, [{ job }]), 'GET'],
      [resourceUrl(context.target.base, job, 'cancel'), 'POST']
    ] as const) {
      const preflight = { origin, 'access-control-request-method': method, 'access-control-request-headers': ALLOWED.join(',') }
      const { asked, headers, status, came } = await context.ask({ method: 'OPTIONS', url, headers: preflight, anonymous: true })
      expect(status >= 200 && status < 300, asked, '2xx', came)
      expect(
        hasAll(headers.get('access-control-allow-headers'), ALLOWED),
        asked,
        `Access-Control-Allow-Headers: ${ALLOWED.join(', ')}`,
        headers.get('access-control-allow-headers') ?? 'none'
      )
      expect(headers.get('access-control-max-age') === '7200', asked, 'Access-Control-Max-Age: 7200', headers.get('access-control-max-age') ?? 'none')
    }
  })
]

function protectedJob({ target, jobs }: CheckContext): string {
  if (target.token === undefined) throw new LeftOut('no --token was given')
  return need(jobs.finished, jobs.why ?? '')
}

function allowedOrigin({ origin }: CheckContext): string {
  if (origin === undefined) throw new LeftOut('no other origin was named with --origin')
  return origin
}

const readAs = (context: CheckContext, origin: string) =>
  context.askJson([{ job: need(context.jobs.finished, context.jobs.why ?? '') }], { headers: { origin } })

/** Whether a list of headers has all of these names. `*` doesn't count: browsers don't apply it to Authorization. */
const hasAll = (list: string | null, names: readonly string[]): boolean => {
  const listed = (list ?? '').toLowerCase().split(/\s*,\s*/)
  return names.every((name) => listed.includes(name))
}
