/** The named arguments of the scripts. `''`, or a missing argument, is "none". */
export interface Arguments {
  /** The epoch to take where the log needs a new one. */
  fresh: string
  /** The `run_id` of the Redis that the connection was made to. */
  run: string
  /** `'1'`: the option `assumeNoLoss`. */
  assumeNoLoss: string
  /** The end of the log as this process saw it last. */
  seenEpoch: string
  seenSeq: string
  /** The channel that wake-ups are published on. */
  channel: string
  /** `ttlMs`; `''` is "for ever". */
  ttl: string
  /** `idleTtlMs`; `''` is "for ever". */
  idleTtl: string
  /** The lease's owner, and its length in ms. */
  owner?: string
  lease?: string
  /** RENEW: `'1'` for `EventLog.adopt`. */
  adopt?: string
  /** APPEND: `AppendOptions.rerun`. */
  maxAttempts?: string
  input?: string
  /** APPEND: the job's status after the events. None: it stays as it is. */
  status?: string
  /** APPEND: `'1'` where the last event is terminal. */
  last?: string
  /** APPEND: the fields of the snapshot that change. Each is the index, from 1, of the event whose data it takes. */
  progress?: string
  result?: string
  error?: string
  cancelling?: string
  /** APPEND: `expectSeq`. */
  expect?: string
  maxEvents?: string
  maxBytes?: string
  /** APPEND: the name under which the append can be found again. */
  name?: string
  /** APPEND: `'1'` where the append may have been stored by an earlier attempt: it is searched for after `afterEpoch` and `afterSeq`. */
  again?: string
  afterEpoch?: string
  afterSeq?: string
  /** APPEND: the type of the last event, for the wake-up. */
  type?: string
  /** READ: how many events at most, after `afterEpoch` and `afterSeq`. */
  limit?: string
}

/** Builds ARGV: the number of named arguments, then the name and value of each, then the type and data of each event to append. */
export const argumentsOf = (named: Arguments, ...entries: string[]): string[] => {
  const given = Object.entries(named).filter(([, value]) => value !== '')
  return [String(given.length), ...given.flat(), ...entries]
}
