import type { ClientOptions } from '../index.ts'

/** The options whose text may be shown. Any other text may be a credential, or may tell who the user is. */
const SHOWN = ['credentials']

/** A client's options in words, without a credential: of what is not a number or a flag, only that it is given. */
export const settingsOf = (options: ClientOptions): [name: string, value: string][] =>
  Object.entries(options)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => [name, wordsFor(name, value)])

function wordsFor(name: string, value: unknown): string {
  if (name === 'url') return placeOf(String(value))
  if (name === 'transports') return (value as ClientOptions['transports'])?.map((each) => each.name).join(', ') ?? '' // as: checked when the client was made
  if (name === 'retry')
    return settingsOf(value as object)
      .map((each) => each.join(' '))
      .join(', ') // as: the same
  if (typeof value === 'number' || typeof value === 'boolean' || SHOWN.includes(name)) return String(value)
  return typeof value === 'function' ? 'a function, not shown' : 'given, not shown'
}

/** A URL without what may be secret in it: user, query and fragment. */
export function placeOf(url: string): string {
  if (!URL.canParse(url, location.href)) return 'not a URL'
  const { origin, pathname } = new URL(url, location.href)
  return origin + pathname
}
