/** What one message of a foreign stream means: an event, the end, or nothing. */

import { EVENT_TYPE, isTerminal, matches } from '../protocol/rules.ts'

/** One server-sent event, or one line of NDJSON. */
export interface Message {
  /** The event's name; `message` where it has none. */
  readonly type: string
  /** The server's own cursor, where this message has one. */
  readonly id: string | undefined
  /** As it came. */
  readonly text: string
  /** The text as JSON, or the text itself where it is none. */
  readonly data: unknown
}

/** An event's type and data. */
export type Meaning = readonly [type: string, data?: unknown]

/**
 * What ends a job, and only that does: a text that is a message's whole data, such as `[DONE]`; the name of an event, whose data is the result; or a function that
 * says how a message ends the job, `['failed', { code, message }]` for example, or undefined where it doesn't.
 */
export type EndRule = string | { event: string } | ((message: Message) => Meaning | undefined)

export function messageOf(type: string, text: string, id: string | undefined): Message {
  let data: unknown = text
  try {
    data = JSON.parse(text)
  } catch {
    // it is a text
  }
  return { type, id: id || undefined, text, data }
}

export function endIn(message: Message, rules: readonly EndRule[]): Meaning | undefined {
  for (const rule of rules) {
    const end =
      typeof rule === 'function'
        ? rule(message)
        : typeof rule === 'string'
          ? message.text === rule && (['succeeded', null] as const)
          : message.type === rule.event && (['succeeded', message.data] as const)
    if (end) return end
  }
  return undefined
}

/** Where an application says nothing of it: an `error` is fatal, whatever else has a name keeps it, and what has none is output. */
export function meaningOf({ type, data }: Message): Meaning {
  const { type: inside, error } = Object(data)
  if (type === 'error' || (type === 'message' && error)) {
    const { code, message = data } = Object(error ?? data)
    return ['failed', { code: typeof code === 'string' ? code : 'failed', message: typeof message === 'string' ? message : JSON.stringify(message) }]
  }
  const name = type !== 'message' ? type : typeof inside === 'string' ? inside : 'output'
  // `updates|sub:1` is `updates`, of the namespace `|sub:1`.
  const [known = 'event'] = /^[\w.-]{1,64}/.exec(name) ?? []
  const rest = name.slice(known.length)
  return [safe(known), rest && known !== 'event' ? { ...(data?.constructor === Object ? data : { data }), namespace: rest } : data]
}

/** By these names a message would end the loop, or pass for the client's own word. */
const safe = (type: string): string => (isTerminal(type) || !matches(type, EVENT_TYPE) ? `foreign.${type}`.slice(0, 64) : type)
