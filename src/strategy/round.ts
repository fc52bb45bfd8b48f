/**
 * One round: candidates start one after the other, overlapping; the first that delivers is live, better ones still start, now and again later,
 * and take over once they serve; lesser ones are let go. It lasts until the live link is lost, or nobody has delivered.
 */

import { delay, orAborted } from '../async/signals.ts'
import type { TransportError } from '../errors.ts'
import type { Failure } from '../policy/next.ts'
import type { RunningLink } from './link.ts'

export interface RoundOptions<L> {
  /** In the order of their start. */
  candidates: readonly string[]
  /** Best first, as things are now. */
  rank(): readonly string[]
  staggerMs: number
  /** Before better ones than the live one are tried again: resolves once it is time, */
  pause(tries: number, signal: AbortSignal): Promise<void>
  /** and, where there are any, once they may be opened. */
  renew(signal: AbortSignal): Promise<void>
  open(transport: string): L
  onLive(live: L, replaced: L | undefined): void
  /** Calls it off; aborted at its end. */
  controller: AbortController
}

export interface Round<L> {
  live: L | undefined
  /** Those under way, the live one among them. One that is taken out outlasts the round. */
  readonly contenders: Set<L>
  /** Resolves with how those failed that did not deliver; rejects with the reason for which it was called off. By then every link has been ended. */
  readonly over: Promise<readonly Failure[]>
  /** To be told when a contender has proved itself, and whenever it `serves` all that is wanted: then it takes over from a live one that is no better. */
  offer(contender: L, serves: boolean): void
}

export function startRound<L extends RunningLink>({ candidates, rank, staggerMs, pause, renew, open, onLive, controller }: RoundOptions<L>): Round<L> {
  const { signal } = controller
  const contenders = new Set<L>()
  const failures: Failure[] = []
  const result = Promise.withResolvers<readonly Failure[]>()
  let isStarting = true

  function isNoBetter(transport: string): boolean {
    const order = rank()
    return round.live !== undefined && order.indexOf(transport) >= order.indexOf(round.live.transport)
  }

  async function start(): Promise<void> {
    await startAll(candidates)
    isStarting = false
    settle()
    for (let tries = 0; ; ) {
      await pause(tries, signal)
      const better = rank().filter((transport) => round.live && !isNoBetter(transport) && ![...contenders].some((each) => each.transport === transport))
      if (better.length === 0) continue
      tries += 1
      // Nothing that fails here ends what is live.
      await renew(signal).catch(() => signal.throwIfAborted())
      await startAll(better)
    }
  }

  async function startAll(transports: readonly string[]): Promise<void> {
    for (const transport of transports) {
      signal.throwIfAborted()
      if (isNoBetter(transport)) continue
      const contender = open(transport)
      contenders.add(contender)
      // The stagger, cut short by the candidate's failure.
      await Promise.race([delay(staggerMs, signal), contender.ended.then((error) => onEnded(contender, error))])
    }
  }

  function onEnded(contender: L, error: TransportError | undefined): void {
    contenders.delete(contender)
    if (contender === round.live) return result.resolve(failures)
    if (error && !round.live) failures.push({ transport: contender.transport, reason: error.reason, status: error.status, message: error.message })
    settle()
  }

  function settle(): void {
    if (!isStarting && contenders.size === 0) result.resolve(failures)
  }

  const round: Round<L> = {
    live: undefined,
    contenders,
    over: orAborted(result.promise, signal).finally(() => {
      controller.abort()
      for (const contender of contenders) contender.end()
    }),
    offer(contender, serves) {
      const replaced = round.live
      if (replaced && (!serves || isNoBetter(contender.transport))) return
      round.live = contender
      onLive(contender, replaced)
      for (const other of contenders) if (other !== contender && isNoBetter(other.transport)) other.end()
    }
  }
  start().catch(result.reject)
  return round
}
