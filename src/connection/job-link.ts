/** A link with the jobs that it reads, and what it is for. */

import type { Credentials } from '../credentials.ts'
import type { LinkJobs } from '../delivery/link-jobs.ts'
import type { RunningLink } from '../link/link.ts'
import type { Reader, Transport } from '../types.ts'

/** A single read of these jobs; for one reader who is behind; or beside a silent link, which is dead if this brings what that one doesn't. */
export interface ReadUse {
  readonly kind: 'read'
  readonly jobs: readonly string[]
  readonly reader?: Reader | undefined
  readonly verifies?: JobLink | undefined
}

/**
 * What a link is for:
 * - `probe`: it may become live.
 * - `live`: it delivers, and nothing better does.
 * - `draining`: it can't read what is wanted now, and is read on until another one does.
 * - `dropped`: it was ended, and what becomes of it changes nothing.
 */
export type Use = { readonly kind: 'probe' | 'live' | 'draining' | 'dropped' } | ReadUse

export interface JobLink {
  readonly transport: Transport
  readonly jobs: LinkJobs
  /** What it was opened with. */
  readonly credentials: Credentials
  readonly link: RunningLink
  use: Use
  /** It has asked so that no cursor could be lost on the way. */
  isFresh: boolean
}
