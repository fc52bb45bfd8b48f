/** @jsxImportSource solid-js */
/** The card with Solid. */

import { For, type JSX } from 'solid-js'
import type { Client } from '../../../src/index.ts'
import { createJob, createJobEvents, createJobs, createStartJob, JobtailContext } from '../../../src/solid.ts'
import type { CardProps } from '../card.ts'

function Card(props: CardProps): JSX.Element {
  const job = createJob(() => props.id, {
    enabled: () => props.enabled,
    initial: props.initial,
    get onEvent() {
      return props.onEvent
    },
    get onEnd() {
      return props.onEnd
    }
  })
  const events = createJobEvents(() => (props.limit ? props.id : null), { limit: props.limit })
  const jobs = createJobs()
  const starting = createStartJob()
  const started = () => (starting().isPending ? 'starting' : (starting().error?.message ?? starting().jobId ?? ''))
  return (
    <article>
      <output>{props.show(job())}</output>
      <pre>
        {events()
          .map(({ seq }) => seq)
          .join(' ')}
      </pre>
      <kbd>
        {jobs()
          .map(({ id }) => id)
          .join(' ')}
      </kbd>
      <samp>{started()}</samp>
      <button type="button" onClick={() => starting.start(props.input)}>
        Start
      </button>
      <button type="button" onClick={() => job().cancel()}>
        Cancel
      </button>
    </article>
  )
}

export const Cards = (given: { client: Client; props: CardProps }): JSX.Element => (
  <JobtailContext.Provider value={given.client}>
    <For each={Array.from({ length: given.props.cards ?? 1 })}>{() => <Card {...given.props} />}</For>
  </JobtailContext.Provider>
)
