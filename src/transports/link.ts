/** What the transports share. */

export const hasFetch = (): boolean => typeof fetch === 'function'

/** A URL for an error message: a query may hold what isn't for a log. */
export function place(url: string | URL): string {
  if (!url) return 'a response' // made by a script, it has none
  const { origin, pathname } = new URL(url)
  return origin + pathname
}
