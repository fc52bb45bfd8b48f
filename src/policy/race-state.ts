/** What a race of transports is: its state, what happens to it, and what is to be done. Plain data. */

import type { FailureReason, RetryOptions, WaitReason } from '../types.ts'
import type { Ranked } from './ranking.ts'

/** How one candidate failed. */
export interface Failure {
  /** Its name. */
  readonly transport: string
  /** The kind of failure. */
  readonly reason: FailureReason
  /** The HTTP status of the answer. */
  readonly status?: number | undefined
  /** What was tried and what came. */
  readonly message: string
  /** True: browsers hide its status, so it has no vote on whether every path gives the same 4xx. */
  readonly hidesStatus?: boolean
}

/** The phase of a race. */
export type Phase =
  /** A race may begin at once. */
  | { readonly kind: 'ready' }
  /** No attempt before `until`. `byServer`: the server asked for the pause; any other pause may end early, when the network changes. */
  | { readonly kind: 'waiting'; readonly until: number; readonly ms: number; readonly reason: WaitReason; readonly byServer: boolean }
  /** Candidates are being tried. */
  | { readonly kind: 'racing' }
  /** The transport delivers. Better ones are tried at `upgradeAt`; `tries` counts how often that has happened. */
  | { readonly kind: 'live'; readonly transport: string; readonly upgradeAt: number; readonly tries: number }
  /** The client gives up: the attempts are used up, or every path gave the same 4xx, which is `status`. */
  | { readonly kind: 'stopped'; readonly status: number | undefined }

/** The state of a race. */
export interface Race extends Ranked {
  /** What the race is doing. */
  readonly phase: Phase
  /** The transport that worked last, in this page or in memory; it starts first. */
  readonly favourite: string | undefined
  /** How many races in a row delivered nothing. */
  readonly failures: number
  /** The candidates that have not started yet. */
  readonly queue: readonly string[]
  /** When the first of them starts. */
  readonly nextAt: number
  /** The candidates that have started, and are neither live nor failed. */
  readonly probing: readonly string[]
  /** The failures since the race began. */
  readonly failed: readonly Failure[]
  /** When something was live last; `undefined`: never. */
  readonly liveAt: number | undefined
  /** No better transport is tried before this time: one of them was asked to stay away (`Retry-After`). */
  readonly quietUntil: number
}

/** How a live link ended. */
export interface Loss {
  /** From its first frame to its last sign of life. */
  readonly livedMs: number
  /** How many events it was the first to bring. */
  readonly events: number
  /** The server closed it as planned: come back within a random time up to this. */
  readonly byeMs: number | undefined
}

/** The options that a race depends on, and the source of chance. */
export interface RacePolicy {
  staggerMs: number
  retry: Required<RetryOptions>
  random: () => number
}

/** What to do now. */
export type Step =
  /** Get credentials, then `begin`. */
  | { do: 'prepare' }
  /** Open this transport, then report `opened`. */
  | { do: 'open'; transport: string }
  /** Ask again at this time. */
  | { do: 'wait'; until: number }
  /** Tell the readers that the client gives up. */
  | { do: 'stop'; status: number | undefined; failures: readonly Failure[] }

/** A race that has not begun. `order`: the available transports, in order of preference. */
export const raceOf = (order: readonly string[]): Race => ({
  order,
  records: {},
  phase: { kind: 'ready' },
  favourite: undefined,
  failures: 0,
  queue: [],
  nextAt: 0,
  probing: [],
  failed: [],
  liveAt: undefined,
  quietUntil: 0
})
