/**
 * One round: candidates start one after the other, overlapping; the first that delivers is live, better ones still start and take over
 * once they serve, lesser ones are let go. It lasts until the live link is lost, or nobody has delivered.
 */

import { child, delay, orAborted } from '../async/signals.ts'
import type { Failure } from '../policy/next.ts'
import type { Ending, RunningLink } from './link.ts'

/** Who takes part: a link, with whatever its owner keeps beside it. */
export interface Contender {
  readonly link: RunningLink
}

export type RoundEnd<C> = { live: C; ending: Ending } | { live: undefined; failures: readonly Failure[] }

export interface RoundOptions<C> {
  /** In the order of their start. */
  candidates: readonly string[]
  /** Best first. */
  rank: readonly string[]
  staggerMs: number
  open(transport: string): C
  onLive(live: C, replaced: C | undefined): void
  signal: AbortSignal
}

export interface Round<C> {
  readonly live: C | undefined
  /** Those under way, the live one among them. */
  readonly contenders: ReadonlySet<C>
  /** Rejects with the signal's reason; by then, as when it resolves, every link has been ended. */
  readonly over: Promise<RoundEnd<C>>
  /** To be told when a contender has proved itself, */
  proved(contender: C): void
  /** and when it serves all that is wanted: it takes over from a live one that is no better. */
  serves(contender: C): void
  /** Takes the live one out of the round, so that it outlasts it. */
  leave(): C | undefined
}

export function startRound<C extends Contender>({ candidates, rank, staggerMs, open, onLive, signal }: RoundOptions<C>): Round<C> {
  const contenders = new Set<C>()
  const failures: Failure[] = []
  let live: C | undefined
  let allStarted = false
  const life = child(signal)
  const result = Promise.withResolvers<RoundEnd<C>>()

  const noBetter = ({ transport }: { transport: string }): boolean => live !== undefined && rank.indexOf(transport) >= rank.indexOf(live.link.transport)

  function launch(transport: string): C {
    const contender = open(transport)
    contenders.add(contender)
    contender.link.ended.then((ending) => onEnded(contender, ending))
    return contender
  }

  async function startAll(): Promise<void> {
    for (const transport of candidates) {
      if (life.signal.aborted) return
      if (!noBetter({ transport })) await untilNext(launch(transport).link.ended)
    }
    allStarted = true
    settle()
  }

  /** The stagger, cut short by the failure of the candidate before. */
  async function untilNext(ended: Promise<unknown>): Promise<void> {
    const timer = child(life.signal)
    await Promise.race([delay(staggerMs, timer.signal), ended])
    timer.release()
    timer.abort()
  }

  function onEnded(contender: C, ending: Ending): void {
    contenders.delete(contender)
    const { reason } = ending
    if (contender === live) result.resolve({ live, ending })
    else if (reason) failures.push({ ...ending, reason, transport: contender.link.transport })
    settle()
  }

  function settle(): void {
    if (allStarted && contenders.size === 0 && !live) result.resolve({ live, failures })
  }

  function takeOver(contender: C): void {
    const replaced = live
    live = contender
    onLive(contender, replaced)
    for (const other of contenders) if (other !== contender && noBetter(other.link)) other.link.end()
  }

  const over = orAborted(result.promise, life.signal).finally(() => {
    life.release()
    life.abort()
    for (const { link } of contenders) link.end()
  })
  startAll().catch(result.reject)

  return {
    get live() {
      return live
    },
    contenders,
    over,
    proved(contender) {
      if (!live) takeOver(contender)
    },
    serves(contender) {
      if (live && !noBetter(contender.link)) takeOver(contender)
    },
    leave() {
      if (live) contenders.delete(live)
      return live
    }
  }
}
