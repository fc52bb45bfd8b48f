/** The card: what each framework's component shows of a job, and what a test does with it. */

import type { Client, JobEvent, JobSnapshot, JobState } from '../../src/index.ts'

/** What the card takes. All of it may change, but for `initial` and whether `onEvent` and `limit` are there. */
export interface CardProps {
  /** How many cards there are: one by default. */
  cards?: number | undefined
  id: string | null | undefined
  enabled?: boolean | undefined
  initial?: JobSnapshot | undefined
  /** Where it is there, the card lists events, so many. */
  limit?: number | undefined
  /** Called at each render; what it returns is shown. */
  show(state: JobState): string
  /** What its button starts a job with. */
  input?: unknown
  onEvent?: ((event: JobEvent) => void) | undefined
  onEnd?: ((state: JobState) => void) | undefined
}

/** Cards that were mounted. */
export interface Mounted {
  /** Changes props of all cards, and renders them within the task. */
  set(props: Partial<CardProps>): Promise<void>
  unmount(): void
}

/** One framework: an application of cards in an element, which provides the client. */
export interface Framework {
  name: string
  mount(element: Element, client: Client, props: CardProps): Promise<Mounted>
  /** Takes over what the framework has rendered on a server with the same props. */
  hydrate(element: Element, client: Client, props: CardProps): Promise<Mounted>
}

/** The plain text of a state. */
export const textOf = ({ status, progress }: JobState): string => `${status} ${progress?.ratio ?? '-'}`
