/** What one message of another server's stream means: an event, the end, or nothing. */

import { EVENT_TYPE, isTerminal, matches } from '../protocol/rules.ts'

/** A message: one server-sent event, or one line of NDJSON. */
export interface Message {
  /** The event's name; `message` where it has none, and for a line of NDJSON. */
  readonly type: string
  /** The server's own cursor; `undefined` where this message has none. */
  readonly id: string | undefined
  /** The data as it was sent. */
  readonly text: string
  /** The data parsed as JSON; the text itself where it is not JSON. */
  readonly data: unknown
}

/** An event's type and data; without data, `null`. */
export type JobEventTuple = readonly [type: string, data?: unknown]

/**
 * What ends a job. Nothing else does.
 * - A string: the whole data of a message, such as `[DONE]`, without the blanks around it.
 * - `{ event }`: the name of an event, whose data is the result.
 * - A function: returns how a message ends the job, such as `['failed', { code, message }]`, or `undefined` where it does not.
 */
export type EndRule = string | { event: string } | ((message: Message) => JobEventTuple | undefined)

/** Makes a message of a text. */
export function parseMessage(type: string, text: string, id: string | undefined): Message {
  let data: unknown = text
  try {
    data = JSON.parse(text)
  } catch {
    // not JSON: the data is the text
  }
  return { type, id: id || undefined, text, data }
}

/** How a message ends the job by these rules; `undefined` where it does not. */
export function matchEnd(message: Message, rules: readonly EndRule[]): JobEventTuple | undefined {
  for (const rule of rules) {
    const end =
      typeof rule === 'function'
        ? rule(message)
        : typeof rule === 'string'
          ? message.text.trim() === rule && (['succeeded', null] as const)
          : message.type === rule.event && (['succeeded', message.data] as const)
    if (end) return end
  }
  return undefined
}

/**
 * What a message means by default: an `error` fails the job, and a named message is an event of that name. A message without a name has the
 * type in `data.type`, otherwise `output`.
 */
export function defaultMeaning({ type, data }: Message): JobEventTuple {
  const { type: inside, error } = Object(data)
  if (type === 'error' || (type === 'message' && error)) {
    const { code, message = typeof error === 'string' ? error : (Object(data).message ?? data) } = Object(error ?? data)
    return ['failed', { code: typeof code === 'string' ? code : 'failed', message: typeof message === 'string' ? message : JSON.stringify(message) }]
  }
  const name = type !== 'message' ? type : typeof inside === 'string' ? inside : 'output'
  // A type cannot hold `updates|sub:1`: it becomes `updates` with the namespace `|sub:1`.
  const [known = 'event'] = /^[\w.-]{1,64}/.exec(name) ?? []
  const rest = name.slice(known.length)
  return [safeType(known), rest && known !== 'event' ? { ...(data?.constructor === Object ? data : { data }), namespace: rest } : data]
}

/** Renames what would end the loop, or would pass for an event of the client's own. */
const safeType = (type: string): string => (isTerminal(type) || !matches(type, EVENT_TYPE) ? `foreign.${type}`.slice(0, 64) : type)
