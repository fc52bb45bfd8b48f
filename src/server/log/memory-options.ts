/** Options of `memoryLog`. `undefined` is the default. */
export interface MemoryLogOptions {
  /**
   * Shares one log between all callers of `memoryLog` in this process that give the same name; the options of the first call count. For modules that are
   * evaluated more than once, as Next.js does. The log is dropped once every caller has closed it.
   *
   * @defaultValue a log of its own for each call
   */
  name?: string
  /**
   * How many events are retained for each job: the latest. An integer from 1.
   *
   * @defaultValue 10,000
   */
  maxEvents?: number
  /**
   * How many bytes of data (JSON in UTF-8) are retained for each job: the latest events. The last event is always retained. From 1; `Infinity`: no limit.
   *
   * @defaultValue 64 MiB
   */
  maxBytes?: number
  /**
   * How much memory all jobs that have ended may take together, in bytes: an estimate of about 3 kB a job, 400 B an event and twice its data. Beyond that, the
   * one that ended first is dropped before its `ttlMs` are over; the one that ended last never. From 1; `Infinity`: no limit.
   *
   * @defaultValue 512 MiB
   */
  maxEndedBytes?: number
  /**
   * How long a job is kept after its end, in ms. 0: it is dropped at once. `Infinity`: as long as the process runs.
   *
   * @defaultValue 3,600,000 (an hour)
   */
  ttlMs?: number
  /**
   * How long a job that has neither ended nor a lease is kept after its last event, in ms, from 1. `Infinity`: as long as the process runs.
   *
   * @defaultValue 2,592,000,000 (30 days)
   */
  idleTtlMs?: number
}

/** The options with their defaults filled in. */
export type MemorySettings = Required<Omit<MemoryLogOptions, 'name'>>

const DAY_MS = 86_400_000

/** Fills in the defaults. Throws a `RangeError` that names the option. */
export function memorySettings({
  maxEvents = 10_000,
  maxBytes = 2 ** 26,
  maxEndedBytes = 2 ** 29,
  ttlMs = 3_600_000,
  idleTtlMs = 30 * DAY_MS
}: MemoryLogOptions): MemorySettings {
  if (!Number.isSafeInteger(maxEvents) || maxEvents < 1) throw new RangeError(`maxEvents: expected an integer from 1, got ${maxEvents}`)
  if (!(maxBytes >= 1)) throw new RangeError(`maxBytes: expected a number from 1, got ${maxBytes}`)
  if (!(maxEndedBytes >= 1)) throw new RangeError(`maxEndedBytes: expected a number from 1, got ${maxEndedBytes}`)
  if (!(ttlMs >= 0)) throw new RangeError(`ttlMs: expected milliseconds from 0, got ${ttlMs}`)
  if (!(idleTtlMs >= 1)) throw new RangeError(`idleTtlMs: expected milliseconds from 1, got ${idleTtlMs}`)
  return { maxEvents, maxBytes, maxEndedBytes, ttlMs, idleTtlMs }
}
