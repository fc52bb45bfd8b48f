/** One link with both of its ends. Requests travel to the server and frames travel back, each in order, with any delay. */

import { createLinkJobs, type LinkJobs } from '../../../src/delivery/link-jobs.ts'
import { type Frame, isControl } from '../../../src/protocol/frames.ts'
import type { OpenRequest, Reader } from '../../../src/types.ts'
import { subscribed } from '../recorder.ts'
import { cursorOf, JOB, type Log, type Moment, type Place } from './log.ts'

/**
 * The kinds of links: a WebSocket changes its jobs by message, an event stream cannot change them, and a poll says `subscribed` with every
 * answer.
 */
export type Kind = 'socket' | 'stream' | 'poll'

type Asked = { after: string | undefined; ref: number | undefined } | undefined

export interface Wire {
  readonly kind: Kind
  readonly jobs: LinkJobs
  /** The server receives one message. */
  hear(): boolean
  /** The server reads the log once, up to `limit` events. */
  serve(limit: number): boolean
  /** The client receives one frame. */
  take(): boolean
  /** What the connection does after each change. */
  settle(): void
}

export function createWire(kind: Kind, log: Log, active: () => readonly Reader[], wanted: () => string[], said: (moment: Moment) => void): Wire {
  const linkJobs = createLinkJobs(active)
  const toServer: Asked[] = []
  const toClient: { frame: Frame; moment: Moment }[] = []
  /** The position that the server reads at for this client. */
  let serving: Place | undefined
  let askedRef: number | undefined

  const say = (frame: Frame): number => toClient.push({ frame, moment: log.now() })

  function tell(jobs: OpenRequest['jobs'], isOpening: boolean): void {
    const [job] = jobs
    if (job?.ref === askedRef) return
    askedRef = job?.ref
    if (kind === 'poll') {
      // A poll does not wait for an answer under way.
      toClient.length = toServer.length = 0
      serving = undefined
    }
    toServer.push(job && { after: job.after, ref: isOpening && kind !== 'poll' ? undefined : job.ref })
  }

  function subscribe({ after, ref: asked }: NonNullable<Asked>): void {
    serving = log.begin(after)
    const { ended, head } = log.now()
    const isAtEnd = ended && serving.seq === head && after === cursorOf(serving)
    if (kind === 'stream' && isAtEnd) return end() // 204
    say(subscribed(JOB, `${serving.epoch}`, serving.seq, asked))
  }

  function end(): void {
    if (serving) say({ control: 'done', job: JOB, cursor: cursorOf(serving) })
    serving = undefined
  }

  tell(linkJobs.requestJobs(wanted()), true)
  return {
    kind,
    jobs: linkJobs,
    hear() {
      if (toServer.length === 0) return false
      const asked = toServer.shift()
      if (asked) subscribe(asked)
      else serving = undefined
      return true
    },
    serve(limit) {
      if (!serving) return false
      const { epoch, oldest, head, ended } = log.now()
      const isCut = serving.epoch !== epoch || serving.seq < oldest - 1
      if (isCut) serving = { epoch, seq: oldest - 1 }
      const isNews = isCut || serving.seq < head || ended
      if (kind === 'poll' ? isNews : isCut) say(subscribed(JOB, `${epoch}`, serving.seq))
      const upTo = Math.min(head, serving.seq + limit)
      for (let seq = serving.seq + 1; seq <= upTo; seq += 1) say(log.at(seq))
      serving = { epoch, seq: upTo }
      if (ended && upTo === head) end()
      return isNews
    },
    take() {
      const next = toClient.shift()
      if (!next) return false
      said(next.moment)
      const { frame } = next
      if (!isControl(frame)) linkJobs.event(frame, undefined)
      else if (frame.control === 'subscribed') {
        if (!linkJobs.subscribed(frame, true, kind === 'poll')) throw new Error(`taken for a stale answer: ${JSON.stringify(frame)}`)
      } else if (frame.control === 'done') linkJobs.done(frame)
      return true
    },
    settle() {
      if (kind !== 'stream' && linkJobs.needsUpdate(wanted())) tell(linkJobs.requestJobs(wanted()), false)
    }
  }
}
