/** What a command line says, parsed and checked. */

import type { Group } from '../check/clause.ts'
import type { CheckOptions } from '../check/index.ts'
import type { BackendChoice } from './backends.ts'
import type { CommandName, PROGRESS, REPORTERS, SHELLS } from './options.ts'
import type { JobAddress } from './values.ts'

/** Where a token or an input comes from. */
export type Source = { from: 'argument'; text: string } | { from: 'file'; path: string } | { from: 'stdin' } | { from: 'default' }

export interface Credentials {
  token: Source
  headers: Readonly<Record<string, string>>
}

export interface Limits {
  timeoutMs: number | undefined
  /** `--retry`: tries again even where no server has ever answered. */
  retries: boolean
}

export interface FollowOptions extends Limits {
  only: readonly Group[] | undefined
  after: string | undefined
  progress: (typeof PROGRESS)[number]
  show: 'events' | 'json' | 'result'
  verbose: boolean
  /** What the server speaks. `undefined`: Jobtail's protocol. */
  backend: BackendChoice | undefined
}

export type Command =
  | { run: 'help'; of: CommandName | undefined; isAsked: boolean }
  | { run: 'version' }
  | { run: 'completion'; shell: (typeof SHELLS)[number] }
  | { run: 'follow'; place: JobAddress; credentials: Credentials; options: FollowOptions }
  | { run: 'start'; base: URL; credentials: Credentials; input: Source; idempotencyKey: string | undefined; follows: boolean; options: FollowOptions }
  | { run: 'cancel'; place: JobAddress; credentials: Credentials; limits: Limits; json: boolean }
  | { run: 'get'; place: JobAddress; credentials: Credentials; limits: Limits; show: 'text' | 'json' | 'result' }
  | { run: 'doctor'; base: URL; job: string | undefined; input: Source; credentials: Credentials; watchMs: number | undefined; json: boolean }
  | { run: 'check'; credentials: Credentials; options: Omit<CheckOptions, 'token' | 'headers'>; reporter: (typeof REPORTERS)[number]; yes: boolean }
