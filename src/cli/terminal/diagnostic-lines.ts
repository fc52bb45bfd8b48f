/** The lines of `--verbose`: the connection's diagnostics, in the order in which they happened. */

import { explain } from '../../explain.ts'
import type { Diagnostic } from '../../types.ts'
import type { Notices } from './notices.ts'

/** Prints each diagnostic with the seconds since the first one. */
export function diagnosticLines(notices: Notices): (diagnostic: Diagnostic) => void {
  let startedAt: number | undefined
  let isLive = false
  return (diagnostic) => {
    startedAt ??= diagnostic.at
    if (diagnostic.type === 'live') isLive = true
    const how = diagnostic.type === 'ended' && !isLive ? ' (the first read brought the whole log)' : ''
    notices.line(`+${((diagnostic.at - startedAt) / 1000).toFixed(3)} s ${explain(diagnostic)}${how}`)
  }
}
