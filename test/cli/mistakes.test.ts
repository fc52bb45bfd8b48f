/** For each clause there is a server with a fault. That clause must find it, and no other clause may. */

import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { check, clauses, type Result } from '../../src/cli/check/index.ts'
import { type Answer, type Fields, type Kind, type Mistake, type Question, serveWith } from './front.ts'
import { type Kit, type OnFinished, serveKit } from './kit.ts'

const FOREIGN = 'jobtail-check-foreign'

type Made = Mistake | ((kit: Kit) => Mistake)

/** Changes only JSON readings of the finished job. */
const reading = (change: (answer: Answer, question: Question) => unknown): Mistake => ({
  answer: (answer, question) => (isReading(question) && answer.status === 200 ? change(answer, question) : undefined)
})
const isReading = ({ url, headers }: Question): boolean => url.pathname.endsWith('/done/events') && !/event-stream|ndjson/.test(headers.get('accept') ?? '')
const membersOf = ({ json }: Answer): Fields[] => json.jobs as Fields[] // as: the kit's answer
const eventsOf = ({ json }: Answer): Fields[] => json.events as Fields[] // as: the kit's answer
const member = (change: (member: Fields, question: Question) => void): Mistake =>
  reading((answer, question) => {
    for (const each of membersOf(answer)) change(each, question)
  })
/** Changes only the readings of one kind. */
const asking = (kind: Kind, change: (question: Question) => unknown): Mistake => ({
  request: (question, of) => (of === kind ? change(question) : undefined)
})
const afterOf = ({ url }: Question): string | null => url.searchParams.get('after')
const header = (name: string, value: string | undefined, isMeant: (question: Question, answer: Answer) => boolean): Mistake => ({
  answer(answer, question) {
    if (!isMeant(question, answer)) return
    if (value === undefined) answer.headers.delete(name)
    else answer.headers.set(name, value)
  }
})
const isSse = ({ headers }: Question): boolean => /event-stream/.test(headers.get('accept') ?? '')
const isLive = ({ url }: Question): boolean => url.searchParams.has('live')
const isNdjson = (question: Question): boolean => /ndjson/.test(question.headers.get('accept') ?? '') && !isLive(question)
const hasWindow = ({ url }: Question): boolean => url.searchParams.has('window')
const isSnapshot = ({ url, method }: Question): boolean => method === 'GET' && /\/jobs\/[^/]+$/.test(url.pathname)
const isPost = ({ url, method }: Question): boolean => method === 'POST' && url.pathname === '/jobs'
const isCancel = ({ url }: Question): boolean => url.pathname.endsWith('/cancel')
const isUnknown = ({ url }: Question): boolean => /\/jobtail-check/.test(url.pathname)
const status = (from: number, to: number, isMeant: (question: Question) => boolean): Mistake => ({
  answer(answer, question) {
    if (answer.status === from && isMeant(question)) answer.status = to
  }
})
const code = (isMeant: (question: Question) => boolean): Mistake => ({
  answer(answer, question) {
    if (isMeant(question) && answer.status === 404) answer.json.code = 'no-such-thing'
  }
})
const dropControl =
  (name: string) =>
  (frame: Fields): Fields | undefined =>
    frame.control === name ? undefined : frame
const changeControl =
  (name: string, change: Fields | ((frame: Fields, question: Question) => Fields | undefined)) =>
  (frame: Fields, question: Question): Fields =>
    frame.control === name ? { ...frame, ...(typeof change === 'function' ? change(frame, question) : change) } : frame
const onNth = (seq: number, change: (event: Fields) => Fields | readonly Fields[] | undefined) => (frame: Fields) =>
  frame.seq === seq && frame.control === undefined && frame.job === 'done' ? change(frame) : frame

/** The same fault in each of the streams, one at a time. */
const streaming = (id: string, what: string, onFrame: NonNullable<Mistake['frame']>): [string, string, Mistake][] => [
  [`sse-${id}`, what, { sse: onFrame }],
  [`ndjson-live-${id}`, what, { live: onFrame }],
  [`ws-${id}`, what, { websocket: onFrame }]
]
const PREFIXES = { sse: 'sse', live: 'ndjson-live', websocket: 'ws' } satisfies Partial<Record<Kind, string>>
const requests = (id: string, what: string, change: (question: Question, kit: Kit) => unknown): [string, string, Made][] =>
  Object.entries(PREFIXES).map(([kind, prefix]) => [`${prefix}-${id}`, what, (kit) => asking(kind as Kind, (question) => change(question, kit))]) // as: one of those

/** Reads from the oldest event where the request has a cursor in the middle. */
function rewind(question: Question, { ids }: Kit): void {
  if (ids.slice(1, -1).includes(afterOf(question) ?? '') && question.url.searchParams.getAll('after').length === 1)
    question.url.searchParams.set('after', ids[0] ?? '')
}

const dropHeader = (name: string) => (question: Question) => question.headers.delete(name)
const isAfterInUrlFirst = (question: Question): void => {
  if (afterOf(question)) question.headers.delete('last-event-id')
}

const mistakes: [clause: string, what: string, mistake: Made][] = [
  ['event-fields', 'a type with a space', { event: (event) => (event.type === 'output' ? { ...event, type: 'partial output' } : event) }],
  ['event-fields', 'a time that is a number', { event: (event) => (event.type === 'output' ? { ...event, time: 7 } : event) }],
  ['event-job', 'another job', reading((answer) => eventsOf(answer).map((event) => Object.assign(event, { job: 'other' })))],
  ['event-time', 'a time without a zone', { event: (event) => ({ ...event, time: String(event.time).replace('Z', '') }) }],
  ['event-data', 'data is missing', { event: ({ data, ...event }) => (event.type === 'started' ? event : { ...event, data }) }],
  ['event-ids', 'one id for two events', ({ ids }) => ({ event: (event) => (event.id === ids[4] ? { ...event, id: ids[3] } : event) })],
  ['event-same', 'other data in one reading', { sse: onNth(3, (event) => ({ ...event, data: { ratio: 0.6 } })) }],
  ['event-end', 'an event after a terminal one', { event: (event) => (event.seq === 4 ? { ...event, type: 'failed' } : event) }],
  ['epoch', 'another epoch in one reading', { sse: changeControl('subscribed', { epoch: 'other' }) }],

  ['json-answers', 'HTML', reading((answer) => answer.headers.set('content-type', 'text/html'))],
  ['json-fields', 'another version', reading(({ json }) => Object.assign(json, { protocol: 2 }))],
  ['json-fields', 'no heartbeatMs', reading(({ json }) => delete json.heartbeatMs)],
  ['json-fields', 'no from', member((each) => delete each.from)],
  [
    'json-events',
    'another order',
    reading((answer) => {
      const events = eventsOf(answer)
      if (events.length === 6) events.splice(1, 2, ...events.slice(1, 3).reverse())
    })
  ],
  ['json-events', 'a hole', reading((answer) => eventsOf(answer).length === 6 && eventsOf(answer).splice(1, 1))],
  ['json-position', 'seq after the events', member((each) => Object.assign(each, { seq: 6 }))],
  ['json-position', 'cursor before the events', member((each) => Object.assign(each, { cursor: each.from }))],
  ['json-position', 'from is not the requested cursor', member((each) => Object.assign(each, { from: 'other' }))],
  ['json-done', 'never done', member((each) => Object.assign(each, { done: false }))],
  ['json-done', 'still running', member((each) => Object.assign(each, { status: 'running' }))],
  ['json-after', 'an event too many', (kit) => asking('json', (question) => (isReading(question) ? rewind(question, kit) : undefined))],
  ['json-last-event-id', 'the header is ignored', asking('json', dropHeader('last-event-id'))],
  ['json-last-event-id', 'the URL counts before the header', asking('json', isAfterInUrlFirst)],
  [
    'json-tail',
    'tail is the oldest',
    asking('json', (question) => isReading(question) && afterOf(question) === 'tail' && question.url.searchParams.delete('after'))
  ],
  [
    'json-nothing-new',
    '204',
    ({ ids }) => ({
      answer(answer, question) {
        if (isReading(question) && !isSse(question) && afterOf(question) === ids[5] && !question.url.searchParams.has('wait'))
          Object.assign(answer, { status: 204, body: '' })
      }
    })
  ],
  ['json-foreign', 'the cursor is repeated', member((each, question) => afterOf(question) === FOREIGN && Object.assign(each, { from: FOREIGN }))],
  ['json-foreign', '400', status(200, 400, (question) => isReading(question) && afterOf(question) === FOREIGN)],
  ['json-malformed', 'it is ignored', asking('json', (question) => / /.test(afterOf(question) ?? '') && question.url.searchParams.delete('after'))],
  [
    'json-unknown',
    'another code',
    code((question) => /events$/.test(question.url.pathname) && !isSse(question) && !isNdjson(question) && !question.url.searchParams.has('wait'))
  ],
  ['json-several', 'cursors in another order', asking('json', swapCursors)],
  [
    'json-several',
    'no member for the unknown job',
    { answer: ({ json }, { url }) => url.pathname === '/jobs/events' && Array.isArray(json.jobs) && json.jobs.splice(0, 1) }
  ],
  ['json-several', '404 for all', status(200, 404, ({ url }) => url.pathname === '/jobs/events')],
  [
    'json-several-refused',
    'a repeated job is answered',
    asking('json', ({ url: { searchParams: query } }) => {
      if (query.getAll('job').join() !== 'done,done') return
      query.delete('job', undefined)
      query.delete('after', undefined)
      query.append('job', 'done')
    })
  ],
  ['json-several-refused', 'a list without jobs is answered', status(400, 200, ({ url }) => url.pathname === '/jobs/events' && !url.searchParams.has('job'))],
  ['json-etag', '304 in place of events', status(200, 304, ({ headers }) => headers.has('if-none-match'))],

  ['json-window', 'more is false', reading((answer, question) => hasWindow(question) && Object.assign(answer.json, { more: false }))],
  ['json-window', 'no event', reading((answer, question) => hasWindow(question) && Object.assign(answer.json, { events: [] }))],

  [
    'ndjson-answers',
    '406',
    { answer: (answer, question) => isNdjson(question) && answer.status === 200 && isWhole(question) && Object.assign(answer, { status: 406 }) }
  ],
  ['ndjson-answers', 'an array', { lines: (text) => `${text.slice(0, -1)}\n[]\n`.replace(/(.*"end".*\n)(\[\]\n)/, '$2$1') }],
  ['ndjson-order', 'no hello', { ndjson: dropControl('hello') }],
  ['ndjson-order', 'no subscribed', { ndjson: dropControl('subscribed') }],
  ['ndjson-order', 'no done', { ndjson: dropControl('done') }],
  ['ndjson-order', 'done with another cursor', { ndjson: changeControl('done', { cursor: 'other' }) }],
  ['ndjson-order', 'a hole', { ndjson: onNth(2, () => undefined) }],
  ['ndjson-end', 'no end frame', { ndjson: (frame, question) => (hasWindow(question) ? frame : dropControl('end')(frame)) }],
  ['ndjson-end', 'more is true at the end', { ndjson: changeControl('end', { more: true }) }],
  ['ndjson-after', 'an event too many', (kit) => asking('ndjson', (question) => rewind(question, kit))],
  ['ndjson-window', 'more is false', { ndjson: changeControl('end', { more: false }) }],
  ['ndjson-window', 'no event', { ndjson: (frame, question) => (hasWindow(question) && !frame.control ? undefined : frame) }],
  ['ndjson-unknown', 'another code', code(isNdjson)],

  ['wait-holds', '504', status(200, 504, ({ url }) => url.searchParams.get('wait') === '1')],
  ['wait-prefer', 'the header is ignored', asking('json', dropHeader('prefer'))],
  ['wait-event', 'an event does not end the wait', { answer: (_, { url }) => (url.searchParams.get('wait') === '10' ? delay(10_000) : undefined) }],
  [
    'wait-done',
    'it waits',
    { answer: (_, { url }) => (url.searchParams.get('wait') === '55' && url.pathname.includes('/done/') ? new Promise(() => {}) : undefined) }
  ],
  [
    'wait-unknown',
    'it waits',
    { answer: (_, question) => (question.url.searchParams.get('wait') === '55' && isUnknown(question) ? new Promise(() => {}) : undefined) }
  ],

  ...streaming('hello', 'none', dropControl('hello')),
  ...streaming('hello', 'another version', changeControl('hello', { protocol: 2 })),
  ...streaming('subscribed', 'none', (frame) => (frame.control === 'subscribed' && frame.ref === undefined && frame.job === 'done' ? undefined : frame)),
  ...streaming(
    'subscribed',
    'seq after the events',
    changeControl('subscribed', ({ job, ref, seq }) => (job === 'done' && ref === undefined ? { seq: Number(seq) + 1 } : {}))
  ),
  ...streaming('subscribed', 'no status', changeControl('subscribed', { status: 'busy' })),
  ...streaming('subscribed', 'an empty cursor', (frame) => (frame.control === 'subscribed' && frame.seq === 0 ? { ...frame, cursor: '' } : frame)),
  ...streaming(
    'events',
    'a hole',
    onNth(2, () => undefined)
  ),
  ...streaming(
    'events',
    'a repetition',
    onNth(2, (event) => [event, event])
  ),
  ...requests('after', 'an event too many', (question, kit) => (question.url.pathname.includes('/done/') ? rewind(question, kit) : undefined)),
  ...streaming(
    'foreign',
    'the cursor is repeated',
    changeControl('subscribed', (_, question) => (afterOf(question) === FOREIGN ? { cursor: FOREIGN } : {}))
  ),
  ...requests('foreign', '400', (question) => (afterOf(question) === FOREIGN ? 400 : undefined)),
  ...streaming('done', 'none', dropControl('done')),
  ...streaming('done', 'another cursor', changeControl('done', { cursor: 'other' })),
  ...streaming('done', 'twice', (frame) => (frame.control === 'done' ? [frame, frame] : frame)),
  ...streaming('several', 'an error of no job', (frame, { url }) =>
    frame.control === 'error' && url.pathname === '/jobs/events' && url.searchParams.has('job') ? { ...frame, job: undefined } : frame
  ),
  ...requests('several', 'cursors in another order', swapCursors),
  ...streaming('live', 'what is appended is not told', (frame) => (frame.job === 'live' && frame.control === undefined ? undefined : frame)),
  ['sse-heartbeat', 'no heartbeat', { text: (text) => (text === ':\n\n' ? '' : text) }],
  ['sse-heartbeat', 'only one, at the start', { text: (text) => (text === ':\n\n' ? '' : text.includes('"subscribed"') ? `${text}:\n\n` : text) }],
  ['ws-heartbeat', 'no heartbeat', { websocket: dropControl('heartbeat') }],
  ['ndjson-live-heartbeat', 'no heartbeat', { live: dropControl('heartbeat') }],

  ['sse-answers', '500', status(200, 500, isSse)],
  ['sse-headers', 'no charset', header('content-type', 'text/event-stream', (question, { status }) => isSse(question) && status === 200)],
  ['sse-headers', 'no X-Accel-Buffering', header('x-accel-buffering', undefined, isSse)],
  ['sse-headers', 'no Incremental', header('incremental', undefined, isSse)],
  ['sse-headers', 'no nosniff', header('x-content-type-options', undefined, isSse)],
  ['sse-headers', 'no no-transform', header('cache-control', 'private, no-store', isSse)],
  ['sse-ids', 'no id:', { text: (text) => text.replace(/^id: .*\n/, '') }],
  ['sse-ids', 'an event: with an event', { text: (text) => text.replace(/^id: /, 'event: progress\nid: ') }],
  ['sse-ids', 'an id: with a control', { text: (text) => text.replace(/^event: control/, 'id: 1\nevent: control') }],
  ['sse-end', 'the body stays open', { keepsOpen: isSse }],
  ['sse-last-event-id', 'the header is ignored', asking('sse', dropHeader('last-event-id'))],
  ['sse-last-event-id', 'the URL counts before the header', asking('sse', isAfterInUrlFirst)],
  [
    'sse-204',
    'an empty stream',
    {
      answer(answer, question) {
        if (isSse(question) && answer.status === 204) Object.assign(answer, { status: 200 })
      }
    }
  ],
  ['sse-malformed', 'it is ignored', asking('sse', (question) => / /.test(afterOf(question) ?? '') && question.url.searchParams.delete('after'))],
  ['sse-unknown', 'another code', code((question) => isSse(question))],
  ['sse-pad', 'no padding', asking('sse', ({ url }) => url.searchParams.delete('pad'))],

  ['sse-window', 'no bye', { sse: dropControl('bye') }],
  ['sse-window', 'another reason', { sse: changeControl('bye', ({ reason }) => (reason === 'window' ? { reason: 'slow' } : {})) }],
  ['sse-window', 'no event', { sse: (frame, question) => (hasWindow(question) && !frame.control ? undefined : frame) }],

  ['ndjson-live-answers', 'an array', { live: (frame) => (frame.control === 'subscribed' && frame.job === 'done' ? [frame, [] as unknown as Fields] : frame) }], // as: what no frame is
  ['ndjson-live-headers', 'no X-Accel-Buffering', header('x-accel-buffering', undefined, isLive)],
  ['ndjson-live-headers', 'no Incremental', header('incremental', undefined, isLive)],
  ['ndjson-live-headers', 'no no-transform', header('cache-control', 'private, no-store', isLive)],
  ['ndjson-live-end', 'the body stays open', { keepsOpen: isLive }],
  ['ndjson-live-window', 'no bye', { live: dropControl('bye') }],
  ['ndjson-live-window', 'another reason', { live: changeControl('bye', ({ reason }) => (reason === 'window' ? { reason: 'slow' } : {})) }],
  ['ndjson-live-window', 'no event', { live: (frame, question) => (hasWindow(question) && !frame.control ? undefined : frame) }],

  ['ws-window', 'no event', { websocket: (frame, question) => (hasWindow(question) && frame.seq === 1 && !frame.control ? undefined : frame) }],
  ['ws-window', 'no pong', { websocket: (frame, question) => (hasWindow(question) ? dropControl('pong')(frame) : frame) }],
  ['ws-window-more', 'no event after it', { operation: (operation) => ((operation as Fields).op === 'window' ? undefined : operation) }], // as: any JSON

  ['ws-answers', '500', asking('websocket', () => 500)],
  ['ws-subprotocol', 'none is selected', { subprotocol: () => false }],
  ['ws-subprotocol', 'the token is selected', { subprotocol: (offered) => offered.find((each) => each.startsWith('bearer.')) ?? offered[0] ?? false }],
  ['ws-no-subprotocol', 'accepted', { takesAny: true, subprotocol: (offered) => offered[0] ?? false }],
  ['ws-origin', 'accepted', asking('websocket', dropHeader('origin'))],
  ['ws-hello-alone', 'in an array', { message: (value) => (JSON.stringify(value).startsWith('{"control":"hello"') ? [value] : value) }],
  ['ws-url', 'a ref', { websocket: (frame) => (frame.control === 'subscribed' && frame.ref === undefined ? { ...frame, ref: 0 } : frame) }],
  ['ws-empty', '400', asking('websocket', ({ url }) => (url.pathname === '/jobs/events' && !url.searchParams.has('job') ? 400 : undefined))],
  ['ws-ping', 'no pong', { websocket: dropControl('pong') }],
  ['ws-subscribe', 'no ref', { websocket: ({ ref, ...frame }) => frame }],
  [
    'ws-subscribe',
    'the cursor is ignored',
    { operation: (operation) => ({ ...(operation as Fields), ...((operation as Fields).ref === 7 ? { after: '' } : {}) }) }
  ], // as: an object, or spread as none
  [
    'ws-operations',
    'only the first',
    { operation: (operation) => (Array.isArray(operation) && JSON.stringify(operation).includes('jobtail-check') ? operation[0] : operation) }
  ],
  [
    'ws-again',
    'the socket closes after done',
    { websocket: (frame) => frame, operation: (operation) => ((operation as Fields).ref === 2 ? undefined : operation) }
  ], // as: any JSON
  [
    'ws-replace',
    'the first subscription stays',
    { operation: (operation) => (Array.isArray(operation) && operation[1]?.ref === 2 ? [operation[0]] : operation) }
  ],
  ['ws-unsubscribe', 'it is ignored', { operation: (operation) => ((operation as Fields).op === 'unsubscribe' ? undefined : operation) }], // as: any JSON
  ['ws-passed-over', 'an error', { operation: (operation) => ((operation as Fields).op === 'jobtail-check' ? {} : operation) }], // as: any JSON
  ['ws-malformed', 'it is ignored', { operation: (operation) => (typeof operation === 'string' ? undefined : operation) }],
  ['ws-malformed', 'another code', { closeCode: (code) => (code === 4400 ? 1008 : code) }],
  ['ws-malformed', 'the error names a job', { websocket: changeControl('error', ({ status }) => (status === 400 ? { job: 'done' } : {})) }],
  ['ws-unknown', 'another code', { closeCode: (code) => (code === 4404 ? 1008 : code) }],
  ['ws-unknown', 'no error', { websocket: (frame, { url }) => (frame.control === 'error' && isUnknown({ url } as Question) ? undefined : frame) }], // as: nothing else is looked at
  ['ws-linger', 'another code', { closeCode: (code) => (code === 1000 ? 1001 : code) }],

  ['caches', 'a snapshot that shared caches may keep', header('cache-control', 'no-store', isSnapshot)],
  ['caches', 'an error that caches may keep', header('cache-control', undefined, (question, { status }) => isUnknown(question) && status === 404)],
  ['caches', 'a stream that does not vary by Accept', header('vary', 'Accept, Authorization', isSse)],
  ['problem', 'another content type', header('content-type', 'application/json', (_, { status }) => status === 404)],
  ['problem', "a status that is not the answer's", { answer: ({ status, json }) => status === 404 && Object.assign(json, { status: 400 }) }],
  ['snapshot', 'no epoch', { answer: ({ json }, question) => isSnapshot(question) && delete json.epoch }],
  ['snapshot-agrees', 'another position', { answer: ({ json }, question) => isSnapshot(question) && json.seq === 6 && Object.assign(json, { seq: 5 }) }],
  ['snapshot-agrees', 'no result', { answer: ({ json }, question) => isSnapshot(question) && delete json.result }],
  [
    'snapshot-agrees',
    'still running',
    { answer: ({ json }, question) => isSnapshot(question) && json.id === 'done' && Object.assign(json, { status: 'running' }) }
  ],
  ['snapshot-unknown', 'another code', code((question) => isSnapshot(question) && isUnknown(question))],
  ['job-ids', 'an encoded slash separates', asking('json', ({ url }) => Object.assign(url, { pathname: url.pathname.replace('%2F', '/') }))],
  ['start', '200', status(202, 200, isPost)],
  ['start', 'no snapshot', { answer: ({ json }, question) => isPost(question) && delete json.cursor }],
  ['start-location', 'no Location', header('location', undefined, isPost)],
  ['start-location', 'another URL', header('location', '/1', isPost)],
  ['start-again', 'another job', asking('json', onlyOnce())],
  ['start-other', 'another job', asking('json', (question) => question.body.startsWith('[') && question.headers.delete('idempotency-key'))],
  ['start-other', 'the same job', asking('json', (question) => isPost(question) && Object.assign(question, { body: '{}' }))],
  ['cancel', '200', status(202, 200, (question) => isCancel(question) && question.url.pathname.includes('/live/'))],
  ['cancel', 'nothing happens', asking('json', (question) => (isCancel(question) && question.url.pathname.includes('/live/') ? 202 : undefined))],
  ['cancel-again', '409', { answer: refuseSecond() }],
  [
    'cancel-again',
    'another event',
    ({ jobs }) => ({
      async answer(_, question) {
        if (isCancel(question) && question.url.pathname.includes('/live/')) await jobs.publish('live', 'cancelling', {})
      }
    })
  ],
  ['cancel-ended', '409', status(202, 409, (question) => isCancel(question) && question.url.pathname.includes('/done/'))],
  ['cancel-unknown', '202', status(404, 202, isCancel)],

  ['auth-none', '403', { answer: (answer) => answer.status === 401 && Object.assign(answer, { status: 403 }) }],
  ['auth-socket', 'another code', { closeCode: (code) => (code === 4401 ? 4403 : code) }],
  ['post-origin', 'accepted', asking('json', (question) => question.method === 'POST' && question.headers.delete('origin'))],
  ['cors-strange', 'every origin is allowed', header('access-control-allow-origin', '*', ({ method }) => method === 'GET')],
  ['cors-read', 'not exposed', header('access-control-expose-headers', 'ETag', () => true)],
  ['cors-read', 'no origin', header('access-control-allow-origin', undefined, () => true)],
  ['cors-preflight', 'no max-age', header('access-control-max-age', undefined, () => true)],
  [
    'cors-preflight',
    'no Last-Event-ID',
    header('access-control-allow-headers', 'authorization, if-none-match, prefer, content-type, idempotency-key', () => true)
  ]
]

const isWhole = ({ url }: Question): boolean => url.pathname.endsWith('/done/events') && url.search === ''

/** Gives each job the cursor of another one. */
function swapCursors({ url }: Question): void {
  const [first, second, ...others] = url.searchParams.getAll('after')
  if (url.pathname !== '/jobs/events' || first !== '' || !second || others.length > 0) return
  url.searchParams.delete('after')
  for (const after of [second, first]) url.searchParams.append('after', after)
}

/** Keeps the `Idempotency-Key` of the first request, and of one with another body; repeats get a new key. */
function onlyOnce(): (question: Question) => void {
  let first: string | undefined
  return (question) => {
    if (!isPost(question)) return
    if (first === question.body) question.headers.delete('idempotency-key')
    first ??= question.body
  }
}

function refuseSecond(): NonNullable<Mistake['answer']> {
  let cancels = 0
  return (answer, question) => {
    if (!isCancel(question) || !question.url.pathname.includes('/live/')) return
    cancels += 1
    if (cancels > 1) answer.status = 409
  }
}

const TEST_MS = 120_000
/** Clauses that take seconds. They run only if the fault is theirs. */
const SLOW = ['ws-linger', 'wait-holds', 'wait-prefer']

test.concurrent.for(mistakes)('clause %s finds: %s', { timeout: TEST_MS }, async ([clause, , made], { onTestFinished }) => {
  const kit = await serveKit(onTestFinished)
  const mistake = typeof made === 'function' ? made(kit) : made
  const base = await serveWith(mistake, kit.base, onTestFinished)
  const { results } = await check({ ...kit.options, base, limitMs: 3000, skip: SLOW.filter((id) => id !== clause) })
  expect(results.filter(({ outcome }) => outcome === 'finding').map(({ id }) => id)).toEqual([clause])
})

/** Clauses that need a log of more than 1,000 events. */
const LONG_ONLY = ['json-limits']

test.concurrent('a server without faults has no finding', { timeout: TEST_MS }, async ({ onTestFinished }) => {
  const kit = await serveKit(onTestFinished)
  const { results } = await check({ ...kit.options, base: await serveWith({}, kit.base, onTestFinished) })
  expect(results.filter(({ outcome }) => outcome !== 'met').map(({ id }) => id)).toEqual(LONG_ONLY)
})

const everything: Mistake = {
  async answer({ json }, { url, headers }) {
    if (!url.pathname.endsWith('/long/events') || json.more !== true) return
    const [member] = json.jobs as Fields[] // as: the kit's answer
    const rest: { events: Fields[]; jobs: Fields[] } = await (await fetch(`${url.origin}${url.pathname}?after=${member?.cursor}`, { headers })).json()
    Object.assign(json, { ...rest, jobs: [{ ...rest.jobs[0], seq: member?.seq, from: member?.from }], events: [...(json.events as Fields[]), ...rest.events] }) // as: the kit's answer
  }
}

/** Faults that show only in a log longer than one answer. */
const longMistakes: [clause: string, what: string, mistake: Mistake][] = [['json-limits', 'all of it at once', everything]]

async function checkLong(mistake: Mistake, onTestFinished: OnFinished): Promise<readonly Result[]> {
  const kit = await serveKit(onTestFinished)
  for (let seq = 1; seq <= 1500; seq++) await kit.jobs.publish('long', 'output', seq)
  await kit.jobs.publish('long', 'succeeded')
  const base = await serveWith(mistake, kit.base, onTestFinished)
  return (await check({ ...kit.options, base, job: 'long', skip: SLOW })).results
}

test.concurrent.for(longMistakes)('with more than 1,000 events, clause %s finds: %s', { timeout: TEST_MS }, async ([clause, , mistake], { onTestFinished }) => {
  const results = await checkLong(mistake, onTestFinished)
  expect(results.filter(({ outcome }) => outcome === 'finding').map(({ id }) => id)).toEqual([clause])
})

test.concurrent('with more than 1,000 events, a server without faults meets every clause', { timeout: TEST_MS }, async ({ onTestFinished }) => {
  const results = await checkLong({}, onTestFinished)
  expect(results.filter(({ outcome }) => outcome !== 'met')).toEqual([])
})

test('each clause has a faulty server here', () => {
  const found = new Set([...mistakes, ...longMistakes].map(([clause]) => clause))
  expect(clauses.map(({ id }) => id).filter((id) => !found.has(id))).toEqual([])
})
