/**
 * What a client has to make of any input, by PROTOCOL.md and the WHATWG's specification of event streams. Written to be read, not to be fast,
 * and without any code of `src/`. The decoders are compared with it.
 */

/** The outcome: the frames, then how the reading ends. */
export interface Outcome {
  frames: unknown[]
  end: 'clean' | 'protocol' | 'cut' | 'network'
}

class Malformed extends Error {}

const MAX_MS = 2_147_483_647

type Fields = Record<string, unknown>

const isText = (value: unknown): value is string => typeof value === 'string'
const isInteger = (value: unknown, least: number): boolean => typeof value === 'number' && Number.isSafeInteger(value) && value >= least
const isId = (value: unknown): boolean => isText(value) && value !== 'tail' && /^[A-Za-z0-9._:~-]{1,128}$/.test(value)
const isStatus = (value: unknown): boolean => ['queued', 'running', 'succeeded', 'failed', 'cancelled'].some((each) => each === value)
const isNone = (value: unknown): boolean => value === undefined || value === null

type Check = [name: string, fits: (value: unknown) => boolean, isOptional?: 'optional']

const natural = (value: unknown): boolean => isInteger(value, 0)
const positive = (value: unknown): boolean => isInteger(value, 1)
const place: Check[] = [
  ['epoch', isText],
  ['seq', natural],
  ['cursor', isId],
  ['status', isStatus]
]
const controls = new Map<string, Check[]>([
  [
    'hello',
    [
      ['protocol', positive],
      ['heartbeatMs', positive],
      ['mux', positive, 'optional'],
      ['pollMs', positive, 'optional']
    ]
  ],
  ['subscribed', [['job', isText], ['ref', natural, 'optional'], ...place]],
  [
    'done',
    [
      ['job', isText],
      ['cursor', isId]
    ]
  ],
  [
    'error',
    [
      ['job', isText, 'optional'],
      ['status', positive],
      ['code', isText],
      ['message', isText],
      ['retryAfterMs', natural, 'optional']
    ]
  ],
  [
    'bye',
    [
      ['reason', isText],
      ['retryMs', natural]
    ]
  ],
  ['end', [['more', (value) => typeof value === 'boolean']]],
  ['heartbeat', []],
  ['pong', []]
])

function checked(value: unknown, checks: Check[]): Fields {
  if (isNone(value)) throw new Malformed()
  const fields = value as Fields // as: whatever is not null can be asked for fields
  const found: Fields = {}
  for (const [name, fits, isOptional] of checks) {
    const field = fields[name]
    if (isOptional && isNone(field)) continue
    if (!fits(field)) throw new Malformed()
    found[name] = field
    // Longer than any timer.
    if (['heartbeatMs', 'pollMs', 'retryMs', 'retryAfterMs'].includes(name) && (field as number) > MAX_MS) found[name] = MAX_MS // as: it fits
  }
  return found
}

function eventOf(value: unknown): Fields {
  const isType = (type: unknown): boolean => isText(type) && type !== 'gap' && /^[A-Za-z0-9._-]{1,64}$/.test(type)
  const fields = checked(value, [
    ['id', isId],
    ['seq', positive],
    ['job', isText],
    ['type', isType],
    ['time', isText]
  ])
  const { data = null } = value as Fields // as: it has fields
  return { ...fields, data }
}

/** The ratio, wherever one can be computed (PROTOCOL.md §1). */
export function progress(data: unknown): unknown {
  const within = (ratio: number): number => (ratio < 0 ? 0 : ratio > 1 ? 1 : ratio)
  if (typeof data === 'number') return { ratio: within(data <= 1 ? data : data / 100) }
  if (typeof data !== 'object' || data === null || Array.isArray(data)) return data
  const { ratio, current, total } = data as Fields // as: an object
  if (typeof ratio === 'number' || typeof current !== 'number' || typeof total !== 'number' || total <= 0) return data
  return { ...data, ratio: within(current / total) }
}

/** A valid frame as it must be delivered. */
export const asRead = (frame: unknown): unknown => frameOf(frame)[0]

const controlOf = (name: string, value: unknown): Fields => ({ control: name, ...checked(value, controls.get(name) ?? []) })

/** One frame, or none for an unknown control. */
function frameOf(value: unknown): Fields[] {
  if (isNone(value)) throw new Malformed()
  const { control } = value as Fields // as: it is not null
  if (control === undefined) return [eventOf(value)]
  if (!isText(control)) throw new Malformed()
  return controls.has(control) ? [controlOf(control, value)] : []
}

/** One message: a frame or an array of them; accepted or refused as a whole. */
export function message(source: string): unknown[] {
  const value: unknown = parse(source)
  return (Array.isArray(value) ? value : [value]).flatMap(frameOf)
}

function parse(source: string): unknown {
  try {
    return JSON.parse(source)
  } catch {
    throw new Malformed()
  }
}

/** The outcome of an input that may be malformed. */
export function attempt<T>(run: () => T): T | undefined {
  try {
    return run()
  } catch (error) {
    if (error instanceof Malformed) return undefined
    throw error
  }
}

/** WHATWG HTML, 9.2.6: interpreting an event stream. */
export function eventStream(bytes: Uint8Array, end: 'clean' | 'cut'): Outcome {
  const frames: unknown[] = []
  // A byte order mark is not part of the text. A second one, which the decoder leaves to the parser, is ignored too.
  const lines = new TextDecoder()
    .decode(bytes)
    .replace(/^\ufeff/, '')
    .split(/\r\n|\r|\n/)
  lines.pop() // this line is not terminated
  let type = ''
  let data: string[] = []
  for (const line of lines) {
    if (line === '') {
      if (data.length > 0 && ['', 'message', 'control'].includes(type)) {
        const found = attempt(() => message(data.join('\n')))
        if (!found) return { frames, end: 'protocol' }
        frames.push(...found)
      }
      type = ''
      data = []
      continue
    }
    const [, name, value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? []
    if (name === 'event') type = value
    if (name === 'data') data.push(value)
  }
  return { frames, end }
}

/** A JSON reading of these jobs as frames (PROTOCOL.md §3), whether there is more of one that goes on, and whether the answer is past the requested cursor. */
export function answer(source: string, asked: string[] = []): { frames: unknown[]; asksOn: boolean; hasNews: boolean } {
  const value = parse(source)
  const hello = controlOf('hello', value)
  const isFlag = (flag: unknown): boolean => typeof flag === 'boolean'
  const { jobs, events, more } = checked(value, [
    ['jobs', Array.isArray],
    ['events', Array.isArray],
    ['more', isFlag, 'optional']
  ])
  const heads: Fields[] = []
  const tails: Fields[] = []
  for (const each of jobs as Fields[]) {
    if (isNone(each)) throw new Malformed()
    if (each.error) {
      const { job } = checked(each, [['job', isText]])
      tails.push(controlOf('error', { ...each.error, job }))
      continue
    }
    const { job, from, done, epoch, seq, cursor, status } = checked(each, [['job', isText], ['from', isId], ['done', isFlag], ...place])
    heads.push({ control: 'subscribed', job, epoch, seq, cursor: from, status })
    if (done) tails.push({ control: 'done', job, cursor })
  }
  return {
    frames: [hello, ...heads, ...(events as unknown[]).map(eventOf), ...tails],
    asksOn: more === true && asked.some((job) => !tails.some((tail) => tail.job === job)),
    hasNews: (events as unknown[]).length + tails.length > 0
  }
}

/** A snapshot (PROTOCOL.md §2). */
export function snapshot(source: string): Fields {
  const value = parse(source)
  const fields = checked(value, [['id', isText], ...place])
  const { result, error, progress } = value as Fields // as: it has fields
  return { ...fields, result, error, progress }
}

/** `Retry-After` (RFC 9110 §10.2.3): seconds, or a date long past or far ahead. `undefined` where it asks for none, or for an infinite one. */
function pause(retryAfter: string): number | undefined {
  const ms = / GMT$/.test(retryAfter) ? (retryAfter.includes('2999') ? MAX_MS : 0) : Number(retryAfter) * 1000
  return ms > 0 && ms < Infinity ? Math.min(ms, MAX_MS) : undefined
}

/** What an answer's body and headers mean for the job (PROTOCOL.md §7); `undefined` where only the path has failed. */
export function problem(status: number, contentType: string | null, retryAfter: string | null, body: string): Fields | undefined {
  if (!contentType?.toLowerCase().startsWith('application/problem+json') || status === 408 || status === 504) return undefined
  return attempt(() => {
    const value = parse(body)
    if (typeof value !== 'object' || value === null) throw new Malformed()
    const said = value as Fields // as: an object
    const own = (name: string, otherwise: unknown): unknown => (Object.hasOwn(said, name) ? said[name] : otherwise)
    const retryAfterMs = own('retryAfterMs', pause(retryAfter ?? ''))
    return controlOf('error', { ...said, status, message: own('message', said.detail ?? said.title), retryAfterMs })
  })
}

/** An NDJSON reading (PROTOCOL.md §3); its last line says whether there is more. */
export function ndjson(source: string, isCut: boolean): Outcome & { asksOn: boolean } {
  const frames: unknown[] = []
  let more: boolean | undefined
  for (const line of source.split('\n')) {
    if (line.trim() === '') continue
    const found = attempt(() => message(line))
    if (!found) return { frames, end: 'protocol', asksOn: false }
    for (const each of found as Fields[]) {
      if (each.control === 'end') more = each.more === true
      else frames.push(each)
    }
  }
  return { frames, end: isCut || more === undefined ? 'cut' : 'clean', asksOn: more === true && !isCut }
}
