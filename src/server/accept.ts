/** What a request is answered with (PROTOCOL.md §2). */
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
    // One that is malformed says nothing.
    return { type, q: weight !== undefined && /^(0(\.\d*)?|1(\.0*)?)$/.test(weight) ? Number(weight) : 1 }
  })
}

/** A stream and NDJSON only where they are named; the one that weighs most, of equal ones the stream before NDJSON before JSON. */
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
