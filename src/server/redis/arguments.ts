/** What scripts are told, by name: `''`, or left out, is "none". */
export interface Arguments {
  /** An epoch that nobody has had. */
  fresh: string
  /** Which run of Redis this is, as its connection was told. */
  run: string
  /** `'1'`: Redis loses nothing at a restart. */
  assumeNoLoss: string
  /** What was seen of the log last. */
  seenEpoch: string
  seenSeq: string
  /** Where wake-ups are published. */
  channel: string
  /** How long a job is kept after its end, in ms; `''` for ever. */
  ttl: string
  /** The same for one without a lease that doesn't end, after its last event. */
  idleTtl: string
  /** Who has the lease, or wants it, and for how many ms. */
  owner?: string
  lease?: string
  /** RENEW: `'1'` takes what is to be run again. APPEND: how often, and with which input. */
  adopt?: string
  maxAttempts?: string
  input?: string
  /** APPEND: the status after its events, `''` as before; whether the last of them is terminal, `'1'`. */
  status?: string
  last?: string
  /** APPEND: the snapshot's fields that change: which of its events' data each has, counted from 1. */
  progress?: string
  result?: string
  error?: string
  cancelling?: string
  /** APPEND: the seq expected before it. */
  expect?: string
  maxEvents?: string
  maxBytes?: string
  /** APPEND: its name; `'1'` where it may be there already, and after which epoch and seq then. */
  name?: string
  again?: string
  afterEpoch?: string
  afterSeq?: string
  /** APPEND: what the wake-up says. */
  type?: string
  /** READ: how many. `afterEpoch` and `afterSeq`: after which. */
  limit?: string
}

/** ARGV: how many arguments there are, then name and value of each, then type and data of each event to append. */
export const argumentsOf = (named: Arguments, ...entries: string[]): string[] => {
  const given = Object.entries(named).filter(([, value]) => value !== '')
  return [String(given.length), ...given.flat(), ...entries]
}
