/** Says in one sentence what just happened, from diagnostics and the user's clicks. Independent of the DOM. */

import type { Diagnostic } from 'jobtail'
import { transportName } from '../../src/devtools/lanes.ts'
import { explain } from '../../src/explain.ts'

export type Happening = Diagnostic | { type: 'act'; at: number; sentence: string } | { type: 'proved'; sentence: string }

export interface Caption {
  readonly sentence: string
  /** The time of the user's last click, in ms since 1970. */
  readonly actAt: number | undefined
  /** The transport that is live. */
  readonly live: string | undefined
  /** The first failure since a transport was last live. */
  readonly trouble: { readonly transport: string; readonly what: string } | undefined
}

export const noCaption: Caption = { sentence: 'Jobtail connects.', actAt: undefined, live: undefined, trouble: undefined }

/** Returns the caption after `before` and this happening. Most happenings leave the sentence as it is. */
export function withHappening(before: Caption, happening: Happening): Caption {
  switch (happening.type) {
    case 'act':
      return { ...before, sentence: happening.sentence, actAt: happening.at }
    case 'proved':
      return { ...before, sentence: happening.sentence, live: undefined, trouble: undefined }
    case 'probe-failed':
      // While a transport is live, a failed probe of a better one changes nothing for the user.
      return before.live === undefined ? { ...before, trouble: before.trouble ?? troubleOf(happening) } : before
    case 'lost':
      return lost(before, happening)
    case 'live':
      return live(before, happening)
    case 'switched':
      return switched(before, happening)
    case 'waiting':
      return happening.reason === 'unreachable' ? { ...before, sentence: 'No way to the server works now. Jobtail waits a little and tries again.' } : before
    case 'offline':
    case 'online':
    case 'gap':
      return { ...before, sentence: `${capital(explain(happening))}.` }
    default:
      return before
  }
}

function lost(before: Caption, happening: Extract<Diagnostic, { type: 'lost' }>): Caption {
  const trouble = troubleOf(happening)
  return { ...before, live: undefined, trouble, sentence: `${capital(trouble.what)}. Jobtail looks for another way.` }
}

function live(before: Caption, { transport = '', at }: Diagnostic): Caption {
  if (before.live === transport) return before
  const { trouble } = before
  const after = { ...before, live: transport, trouble: undefined }
  const since = before.actAt === undefined ? '' : `, ${seconds(at - before.actAt)} after your click`
  if (!trouble) return { ...after, sentence: `${capital(one(transport))} carries the news of the job.` }
  if (trouble.transport === transport) return { ...after, sentence: `${capital(trouble.what)} and came back${since}.` }
  return { ...after, sentence: `${capital(trouble.what)}, so ${one(transport)} took over${since}.` }
}

function switched(before: Caption, { transport = '', from }: Extract<Diagnostic, { type: 'switched' }>): Caption {
  return { ...before, live: transport, trouble: undefined, sentence: `${capital(the(transport))} delivers now, and took over from ${the(from)}.` }
}

const fates: Readonly<Record<string, string>> = {
  silent: 'fell silent',
  mute: 'opened but delivered nothing',
  timeout: 'gave no answer',
  cut: 'was cut',
  refused: 'was refused',
  status: 'got an error answer',
  network: 'was cut',
  bye: 'was closed by the server'
}

function troubleOf({ transport = '', reason }: Extract<Diagnostic, { type: 'lost' | 'probe-failed' }>): { transport: string; what: string } {
  return { transport, what: `${the(transport)} ${fates[reason] ?? `failed (${reason})`}` }
}

const the = (transport: string): string => `the ${transportName(transport)}`
const one = (transport: string): string => `${transport === 'sse' ? 'an' : 'a'} ${transportName(transport)}`
const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)
const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`
