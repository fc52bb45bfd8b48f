import { type BareCard, createBareCard } from './bare-card.ts'
import type { JobCard } from './job-card.ts'
import { emptyView, isEnd } from './job-view.ts'

/** Follows one job in three ways: by Jobtail, by a bare EventSource and by a bare WebSocket. */
export interface Stage {
  /** The card of the job that is followed; `undefined` before the first one. */
  readonly card: JobCard | undefined
  /** Replaces the job by that of `card`, and opens bare connections for it. */
  show(card: JobCard): void
  /** Says how many events Jobtail has lost and which bare connections have stopped. */
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
      // At the end the comparison with the server's record says more.
      const loss = isEnd(status) ? '' : fault === undefined ? '0 events lost.' : `${fault}.`
      const stopped = Object.entries(bare ?? {}).filter(([, { stoppedAt }]) => stoppedAt !== undefined)
      return [loss, ...stopped.map(([kind, { stoppedAt }]) => `The bare ${kind} stopped at ${stoppedAt} %.`)].join(' ').trim()
    }
  }
}
