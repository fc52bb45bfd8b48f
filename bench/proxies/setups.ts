/** Proxies as somebody in a hurry configures them: by what a search turns up first, or as the package comes; docs/guides/deploying.md has better ones. */

import type { ProxyName } from '../../test/setup/proxies.ts'
import { forwardSetups } from './forward.ts'
import { reverseSetups } from './reverse.ts'

export interface Place {
  /** Where to listen, on 127.0.0.1. */
  port: number
  /** The job server's port, on 127.0.0.1. */
  upstream: number
  /** For its files. */
  folder: string
}

export interface Setup {
  proxy: ProxyName
  /** What is special about it; empty for the plainest there is. */
  label: string
  /** `reverse`: stands for the server; `forward`: the browser is told to go through it. */
  kind: 'reverse' | 'forward'
  configure(place: Place): string
}

export const setups: readonly Setup[] = [...reverseSetups, ...forwardSetups]

export const nameOf = ({ proxy, label }: Pick<Setup, 'proxy' | 'label'>): string => (label ? `${proxy}: ${label}` : proxy)
