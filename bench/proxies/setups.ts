/** Proxies with the configuration that a search finds first, or that the package comes with. docs/guides/deploying.md has better ones. */

import type { ProxyName } from '../../test/setup/proxies.ts'
import { forwardSetups } from './forward.ts'
import { reverseSetups } from './reverse.ts'

export interface Place {
  /** The port to listen at, on 127.0.0.1. */
  port: number
  /** The job server's port, on 127.0.0.1. */
  upstream: number
  /** A folder for the proxy's files. */
  folder: string
}

export interface Setup {
  proxy: ProxyName
  /** What differs from the plain configuration; empty for that one. */
  label: string
  /** `reverse`: the proxy stands before the server. `forward`: the browser is configured to use the proxy. */
  kind: 'reverse' | 'forward'
  configure(place: Place): string
}

export const setups: readonly Setup[] = [...reverseSetups, ...forwardSetups]

export const nameOf = ({ proxy, label }: Pick<Setup, 'proxy' | 'label'>): string => (label ? `${proxy}: ${label}` : proxy)
