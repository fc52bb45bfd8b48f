/** Why no answer came: what `fetch` keeps behind "fetch failed". */
export function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  if (!(cause instanceof Error)) return String(cause)
  const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : ''
  if (code.startsWith('ERR_SSL')) return `${code}: is it http:, and not https:?` // its message is for OpenSSL's developers
  return cause.message || code // of several addresses that were tried there is only a code
}
