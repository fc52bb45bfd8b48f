/** Writes the events of a job. If its node dies, it goes on at another one. */

import { setTimeout as wait } from 'node:timers/promises'
import type { Place } from './node.ts'
import type { NodeProcess } from './nodes.ts'
import { hashOf } from './verdict.ts'

export interface Writer {
  /** The acknowledged events: their hashes by id. */
  readonly acknowledged: Map<string, string>
  /** Appends an event exactly once, however many tries that takes. */
  write(type: string, data: object): Promise<void>
}

/** The pause between tries while no node knows the job's position. */
const PAUSE_MS = 100

/** The only writer of its job, until the signal aborts. */
export function createWriter(job: string, nodes: () => readonly NodeProcess[], signal: AbortSignal): Writer {
  const acknowledged = new Map<string, string>()
  let at: Place = { epoch: '', seq: 0 }
  let turn = 0

  function nextNode(): NodeProcess | undefined {
    const up = nodes().filter(({ isUp }) => isUp)
    turn += 1
    return up[turn % up.length]
  }

  async function ask(...question: Parameters<NodeProcess['ask']>): Promise<Place> {
    const node = nextNode()
    if (!node) throw new Error('no node is up')
    return node.ask(...question)
  }

  /** Repeats an append of unknown outcome with `expectSeq`, as docs/API.md recommends. */
  async function append(type: string, data: object): Promise<Place> {
    let isUnsure = false
    for (;;) {
      try {
        if (isUnsure) {
          const found = await ask({ do: 'look', job })
          const isThere = found.seq === at.seq + 1 && (at.epoch === '' || found.epoch === at.epoch)
          if (isThere) return found
          at = found // if the log has lost its last events, go on from there
        }
        return await ask({ do: 'append', job, type, data, expectSeq: at.seq })
      } catch {
        isUnsure = true
        await wait(PAUSE_MS, undefined, { signal })
      }
    }
  }

  return {
    acknowledged,
    async write(type, data) {
      at = await append(type, data)
      acknowledged.set(`${at.epoch}-${at.seq}`, hashOf(type, data))
    }
  }
}
