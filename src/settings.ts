/** A client's options with their defaults. */

import type { ClientOptions, RetryOptions, Transport } from './types.ts'

/** The options of a client that brings no defaults of its own for what is large. */
export interface CoreOptions extends ClientOptions {
  transports: readonly Transport[]
}

type Defaulted = 'url' | 'credentials' | 'staggerMs' | 'probeTimeoutMs' | 'firstLook' | 'memory' | 'unknownJobGraceMs' | 'bufferSize' | 'bufferBytes'

export type Settings = Omit<CoreOptions, Defaulted | 'retry'> & { [Name in Defaulted]-?: NonNullable<ClientOptions[Name]> } & { retry: Required<RetryOptions> }

const DEFAULTS: Pick<Settings, Defaulted> = {
  url: '/jobs',
  credentials: 'same-origin',
  staggerMs: 250,
  probeTimeoutMs: 5000,
  firstLook: true,
  memory: false,
  unknownJobGraceMs: 5000,
  bufferSize: 1000,
  bufferBytes: 2 ** 22
}

/** An option that is given as `undefined` has its default as well. */
const given = (options: object = {}): object => Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))

// as: a default or what was given, of the same type
export const settingsOf = (options: CoreOptions): Settings =>
  ({ ...DEFAULTS, ...given(options), retry: { baseMs: 250, maxMs: 30_000, attempts: Infinity, ...given(options.retry) } }) as Settings
