export interface MemoryLogOptions {
  /**
   * Logs of one name are one log in this process, with the options of the first: for a module that is evaluated more than once, as Next.js does. It is gone
   * once all of them are closed. Default: a log of one's own.
   */
  name?: string
  /** Events retained per job, the latest ones. Default 10,000. */
  maxEvents?: number
  /** Bytes of data (JSON, UTF-8) retained per job, the latest events; the last one in any case. Default 64 MiB. */
  maxBytes?: number
  /** How long a job is kept after its end. Default an hour. */
  ttlMs?: number
  /** How long a job that has not ended, and has no lease, is kept after its last event. Default 30 days. */
  idleTtlMs?: number
}

const DAY_MS = 86_400_000

/** The options with their defaults in place. Throws for what can't be. */
export function memorySettings({
  maxEvents = 10_000,
  maxBytes = 2 ** 26,
  ttlMs = 3_600_000,
  idleTtlMs = 30 * DAY_MS
}: MemoryLogOptions): Required<Omit<MemoryLogOptions, 'name'>> {
  if (!Number.isSafeInteger(maxEvents) || maxEvents < 1) throw new RangeError(`maxEvents: expected an integer from 1, got ${maxEvents}`)
  if (!(maxBytes >= 1)) throw new RangeError(`maxBytes: expected a number from 1, got ${maxBytes}`)
  if (!(ttlMs >= 0)) throw new RangeError(`ttlMs: expected milliseconds from 0, got ${ttlMs}`)
  if (!(idleTtlMs >= 1)) throw new RangeError(`idleTtlMs: expected milliseconds from 1, got ${idleTtlMs}`)
  return { maxEvents, maxBytes, ttlMs, idleTtlMs }
}
