/** Why a request got no answer: the cause behind the message "fetch failed". */
export function networkReason(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  if (!(cause instanceof Error)) return String(cause)
  const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : ''
  if (/^ERR_SSL|^EPROTO$/.test(code)) return `${code}: the server may speak http:, not https:` // OpenSSL's own message doesn't say that
  return cause.message || code // where several addresses were tried, Node's error has a code and no message
}
