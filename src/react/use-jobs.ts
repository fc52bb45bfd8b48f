/** The jobs that the browser knows, in a component. */

import { useSyncExternalStore } from 'react'
import type { Client, KnownJob } from '../index.ts'
import { useKept } from './kept.ts'
import { useClient } from './provider.ts'

const NONE: readonly KnownJob[] = Object.freeze([])

/** The jobs of `Client.jobs()`: those that this browser has started or followed and that have not ended as far as is known. Empty on a server. */
export function useJobs(options: { client?: Client | undefined } = {}): readonly KnownJob[] {
  const client = useClient(options.client)
  const list = useKept(() => client.jobs(), client)
  return useSyncExternalStore(
    list.subscribe,
    () => list.state,
    () => NONE
  )
}
