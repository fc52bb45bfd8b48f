/** What both contestants of a soak have in common: the load, and chance. */

/** What a contestant is started with. */
export interface Load {
  durationMs: number
  subscriptions: number
}

/** How many clients there are, each with one connection. */
export const CLIENTS = 20
/** How many jobs run at any time. Each has several followers and is replaced at its end. */
export const JOBS = 50
export const EVENT_EACH_MS = 200

export const between = (least: number, most: number): number => least + Math.floor(Math.random() * (most - least + 1))
export const pick = <T>(from: readonly T[]): T => from[between(0, from.length - 1)] as T // as: never empty

/** The pause before a job's next event, in ms. */
export const pauseMs = (): number => between(0, 2 * EVENT_EACH_MS)
export const progress = (left: number): { current: number; note: string } => ({ current: left, note: 'ö'.repeat(between(0, 200)) })
