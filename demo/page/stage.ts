import { type BareCard, createBareCard } from './bare-card.ts'
import type { JobCard } from './job-card.ts'
import { emptyView, isEnd } from './job-view.ts'

/** The place where one job is followed in three ways. */
export interface Stage {
  /** What is on it now; `undefined`: nothing yet. */
  readonly card: JobCard | undefined
  /** Puts a job on it, in place of the one before, and follows it by a bare EventSource and a bare WebSocket as well. */
  show(card: JobCard): void
  /** What the break has cost so far, in words. */
  remark(): string
}

export function createStage(host: HTMLElement): Stage {
  let card: JobCard | undefined
  let bare: Readonly<Record<'EventSource' | 'WebSocket', BareCard>> | undefined

  return {
    get card() {
      return card
    },
    show(next) {
      bare?.EventSource.close()
      bare?.WebSocket.close()
      card = next
      const leader = () => ({ seq: next.view.events.at(-1)?.seq ?? 0 })
      bare = { EventSource: createBareCard('EventSource', next.jobId, leader), WebSocket: createBareCard('WebSocket', next.jobId, leader) }
      host.replaceChildren(next.element, bare.EventSource.element, bare.WebSocket.element)
    },
    remark() {
      const { fault, status } = card?.view ?? emptyView
      // At the end there is the comparison with the server's record instead.
      const loss = isEnd(status) ? '' : fault === undefined ? '0 events lost.' : `${fault}.`
      const stopped = Object.entries(bare ?? {}).filter(([, { stoppedAt }]) => stoppedAt !== undefined)
      return [loss, ...stopped.map(([kind, { stoppedAt }]) => `The bare ${kind} stopped at ${stoppedAt} %.`)].join(' ').trim()
    }
  }
}
