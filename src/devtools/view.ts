import type { ClientRecord, Recording } from './recording.ts'

/** What is shown of a recording at one moment. */
export interface Shown {
  readonly recording: Recording
  /** The clients that are shown: all, or the one that was chosen. */
  readonly clients: readonly ClientRecord[]
  /** In ms since 1970. */
  readonly at: number
}

/** One part of the panel. */
export interface View {
  readonly element: HTMLElement
  paint(shown: Shown): void
}

/** Whether an entry or a job of this client is shown; those of no client are always. */
export const isShown = ({ clients }: Shown, client: number | undefined): boolean => client === undefined || clients.some(({ number }) => number === client)
