/** Who stands between here and the server, as far as answers tell. Pure. */

import type { Observation } from './observation.ts'

/** The programs for which `advice.ts` knows the directives. */
export type Software = 'nginx' | 'haproxy' | 'apache' | 'caddy'

export interface Between {
  /** Its name, and the header that told. */
  name: string
  told: string
}

/** Headers that a server behind a proxy doesn't send, as a rule. */
const TELLING = ['via', 'server', 'x-served-by', 'cf-ray', 'x-amz-cf-id', 'x-azure-ref', 'fly-request-id', 'x-vercel-id'] as const

export function betweenOf(observations: readonly Observation[]): Between[] {
  const found = new Map<string, Between>()
  for (const { head, reading } of observations) {
    for (const told of TELLING) {
      const name = head?.headers[told]
      // The name that a refusal is signed with may be a part of the one that others were passed on with. Numbers of requests differ each time.
      if (name && [...found.values()].every((each) => !each.name.includes(name) && (each.told !== told || /^(via|server)$/.test(told))))
        found.set(name, { name, told })
    }
    // nginx takes this header for itself.
    if (reading === 'sse' && head?.status === 200 && head.headers.incremental && !head.headers['x-accel-buffering'])
      found.set('accel', { name: 'nginx', told: 'X-Accel-Buffering is gone' })
  }
  return [...found.values()]
}

const PATTERNS: readonly [Software, RegExp][] = [
  ['nginx', /nginx|openresty/i],
  ['haproxy', /haproxy/i],
  ['apache', /apache/i],
  ['caddy', /caddy/i]
]

export const softwareOf = (between: readonly Between[]): Software[] =>
  PATTERNS.filter(([, pattern]) => between.some(({ name }) => pattern.test(name))).map(([software]) => software)
