/** `--verbose`: what the connection does, in the order in which it happened. */

import { explain } from '../../explain.ts'
import type { Diagnostic } from '../../types.ts'
import type { Notices } from './notices.ts'

/** Says each with the seconds since the first. */
export function diagnosticLines(notices: Notices): (diagnostic: Diagnostic) => void {
  let startedAt: number | undefined
  let isLive = false
  return (diagnostic) => {
    startedAt ??= diagnostic.at
    if (diagnostic.type === 'live') isLive = true
    const how = diagnostic.type === 'ended' && !isLive ? ' (the first look told all of it)' : ''
    notices.line(`+${((diagnostic.at - startedAt) / 1000).toFixed(3)} s ${explain(diagnostic)}${how}`)
  }
}
