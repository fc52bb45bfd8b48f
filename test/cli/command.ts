/** Runs the command without a process of its own. */

import { run } from '../../src/cli/run.ts'

export interface Ran {
  code: number
  out: string
  err: string
}

export interface Running extends Promise<Ran> {
  /** Written so far. */
  out(): string
  interrupt(): void
}

export function jobtail(args: readonly string[]): Running {
  const interrupted = new AbortController()
  const written = { out: '', err: '' }
  const writer = (to: 'out' | 'err') => (text: string) => {
    written[to] += text
  }
  const ran = run(args, { out: writer('out'), err: writer('err'), columns: () => undefined, signal: interrupted.signal }).then((code) => ({ code, ...written }))
  return Object.assign(ran, { out: () => written.out, interrupt: () => interrupted.abort(new Error('interrupted')) })
}
