/** What happens to a page and its network in the middle of a job, in the table of e2e/backends. */

import type { Faults } from '../../demo/proxy/faults.ts'

export interface Fault {
  name: string
  faults: Partial<Faults>
  /** `always`: from before the page opens to the job's end. `middle`: for a while in the middle of the job. */
  during: 'always' | 'middle'
  /** Whether nothing of a stream arrives before the job has ended. */
  holdsStreams?: boolean
  /** Whether the page is loaded again in the middle of the job. */
  reloads?: boolean
}

export const faults: readonly Fault[] = [
  { name: 'cut in the middle', faults: { cutAfterMs: 400 }, during: 'middle' },
  { name: 'mute', faults: { webSocket: 'mute', http: 'mute' }, during: 'middle' },
  // A WebSocket that is buffered until its end delivers nothing.
  { name: 'buffered', faults: { webSocket: 'mute', bufferStreams: true }, during: 'always', holdsStreams: true },
  { name: '504 after 1 s', faults: { webSocket: 'unanswered', requestLimitMs: 1000 }, during: 'always' },
  { name: 'reload at half-time', faults: {}, during: 'middle', reloads: true }
]
