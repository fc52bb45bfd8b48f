/** A live stream beside a document: whatever it says, it is time to look. */

import { isControl } from '../protocol/frames.ts'
import type { RequestContext } from '../types.ts'
import { ask, type RequestHook } from './foreign.ts'
import { sse } from './sse.ts'

/** Reads a job's live stream, to its end or its failure, and calls back at each message. A stream that isn't there changes nothing. */
export type Live = (context: RequestContext, job: string, onMessage: () => void) => Promise<void>

export const liveBy =
  (word: RequestHook): Live =>
  async (context, job, onMessage) => {
    const answer = await ask(context, await word(job, { base: context.base }), undefined, { accept: 'text/event-stream' })
    if (isControl(answer)) return
    const { feed } = sse().split({ cursor: undefined, isTail: true, response: answer.response, take: onMessage, left: () => 0, lose() {}, restart() {} })
    for await (const chunk of answer.chunks) feed(chunk)
  }
