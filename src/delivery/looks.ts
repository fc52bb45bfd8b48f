/** Reads by single requests, each to the end of what is known now: until a link is live, beside one that is suspect, and for those who are behind. */

import { now } from '../async/clock.ts'
import { isOffline } from '../page.ts'
import type { Jobs } from './jobs.ts'
import type { Carrier, Loop } from './loop.ts'
import type { Reader } from './reader.ts'
import type { Readings } from './readings.ts'

/** What a look has brought, the link it runs beside brings within so long, or it is dead. */
const CHALLENGE_MS = 250

/** Where single requests fail, links have to do for so long. */
const PAGES_AGAIN_MS = 5000

export interface Looks {
  /** From now on, until `endLooks`, what is wanted while no link is live is asked for by JSON as well, once. */
  begin(): void
  /** All of them where the page is put away; else who is behind is read for on. */
  endLooks(isAway?: boolean): void
  look(at: readonly string[]): void
  /** What has become wanted since the looks were started. */
  lookOn(wanted: readonly string[]): void
  /** Nothing is wanted any more: what is wanted next is looked at anew. */
  forget(): void
  /** What a silent link may have missed is read beside it: where something comes that the link didn't bring, it is dead. */
  lookBeside(carrier: Carrier, silentMs: number): Promise<void>
  isBeside(carrier: Carrier): boolean
  /** Merely not reading a link bounds nothing; a request brings no more than one answer's worth. */
  catchUp(reader: Reader): void
}

export function createLooks(
  firstLook: boolean,
  { all, wanted, free }: Jobs,
  loop: Loop,
  open: (at: readonly string[], active: Readings['active'] | undefined) => Carrier
): Looks {
  /** All that are under way, with the one who is behind that it reads for alone. */
  const looks = new Map<Carrier, Reader | undefined>()
  /** Since something was last wanted for the first time. */
  const looked = new Set<string>()
  let isLooking = false
  /** Runs beside a suspect link. */
  let second: Carrier | undefined
  /** When single requests brought nothing to one who was behind. */
  let pagesFailedAt = -Infinity

  function look(at: readonly string[], behind?: Reader): Carrier {
    const carrier = open(at, behind && (() => (all().includes(behind) && !behind.paused ? [behind] : [])))
    looks.set(carrier, behind)
    carrier.ended.then((error) => {
      looks.delete(carrier)
      // At the end of what was known, or this path has failed or been refused: in each case a link goes on.
      if (behind) {
        behind.behind = behind.paused
        if (error && !carrier.provedAt) pagesFailedAt = now()
      }
      // Neither held again nor answered: that path has failed, so the job goes back to the others.
      else for (const job of at) free(job, true)
    })
    return carrier
  }

  function lookOn(jobsWanted: readonly string[]): void {
    if (!isLooking || loop.round()?.live) return
    const fresh = jobsWanted.filter((job) => !looked.has(job))
    for (const job of fresh) looked.add(job)
    if (fresh.length > 0) look(fresh)
  }

  return {
    begin() {
      isLooking = firstLook
      lookOn(wanted())
    },
    endLooks(isAway) {
      isLooking = false
      for (const [{ end }, behind] of looks) if (isAway || !behind) end()
    },
    look,
    lookOn,
    forget: () => looked.clear(),
    async lookBeside(carrier, silentMs) {
      if (second || wanted().length === 0 || carrier.transport === 'short-poll') return // that looks by itself
      loop.emit({ type: 'suspected', silentMs }, carrier.transport)
      const beside = look(wanted())
      second = beside
      await beside.ended
      second = undefined
      if (carrier.eventAt < beside.startedAt && (beside.events > 0 || (!beside.provedAt && isOffline()))) carrier.challenge(CHALLENGE_MS)
    },
    isBeside: (carrier) => carrier === second,
    catchUp(reader) {
      if (loop.isAway() || now() - pagesFailedAt < PAGES_AGAIN_MS) reader.behind = false
      else if (![...looks.values()].includes(reader)) look([reader.job], reader)
    }
  }
}
