/** The format of a reading (PROTOCOL.md §2). */
export type Format = 'sse' | 'ndjson' | 'json'

/** A media range of `Accept` and its weight (RFC 9110 §12.5.1). */
interface Range {
  type: string
  q: number
}

function parse(accept: string): Range[] {
  return accept.split(',').map((part) => {
    const [type = '', ...parameters] = part.split(';').map((each) => each.trim().toLowerCase())
    const weight = parameters.map((each) => /^q\s*=\s*(.*)$/.exec(each)?.[1]).find((each) => each !== undefined)
    // A malformed weight counts as none.
    return { type, q: weight !== undefined && /^(0(\.\d*)?|1(\.0*)?)$/.test(weight) ? Number(weight) : 1 }
  })
}

/**
 * Chooses the format with the highest weight in `Accept`. Event streams and NDJSON count only where they are named, not by a wildcard. Of equal weights the
 * event stream comes before NDJSON, and NDJSON before JSON.
 */
export function formatFor(accept: string | null): Format {
  const ranges = parse(accept ?? '')
  const weight = (...types: string[]): number => {
    for (const type of types) {
      const found = ranges.findLast((range) => range.type === type)
      if (found) return found.q
    }
    return 0
  }
  const sse = weight('text/event-stream')
  const ndjson = weight('application/x-ndjson')
  const json = weight('application/json', 'application/*', '*/*')
  if (sse > 0 && sse >= Math.max(ndjson, json)) return 'sse'
  return ndjson > 0 && ndjson >= json ? 'ndjson' : 'json'
}
