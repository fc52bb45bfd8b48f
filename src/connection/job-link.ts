/** A link, its jobs, and what it is used for. */

import type { Credentials } from '../credentials.ts'
import type { LinkJobs } from '../delivery/link-jobs.ts'
import type { RunningLink } from '../link/link.ts'
import type { Reader, Transport } from '../types.ts'

/**
 * A single read of `jobs`: for one `reader` that is behind; or beside the silent link that it `verifies`, which is dead where this read
 * brings what that link does not; or for all readers.
 */
export interface ReadUse {
  readonly kind: 'read'
  readonly jobs: readonly string[]
  readonly reader?: Reader | undefined
  readonly verifies?: JobLink | undefined
}

/**
 * What a link is used for:
 * - `probe`: it may become live.
 * - `live`: it delivers, and no better one does.
 * - `draining`: it cannot read what is wanted now; it is read on until another link can.
 * - `dropped`: the client closed it; its end changes nothing.
 */
export type Use = { readonly kind: 'probe' | 'live' | 'draining' | 'dropped' } | ReadUse

/** A link of a connection. */
export interface JobLink {
  /** Its transport. */
  readonly transport: Transport
  /** Its jobs, and their readers. */
  readonly jobs: LinkJobs
  /** The credentials that it was opened with. */
  readonly credentials: Credentials
  /** The link itself. */
  readonly link: RunningLink
  /** What it is used for now. */
  use: Use
  /** Its request was a fresh one: no cache could answer it, and no cursor be lost on the way. */
  isFresh: boolean
}

/** Whether each of the link's answers is to a request of its own. */
export const answersOnce = ({ use, transport }: JobLink): boolean => use.kind === 'read' || transport.traits?.polls !== undefined
