import type { Hello } from '../../protocol/frames.ts'
import { PROTOCOL } from '../../protocol/rules.ts'
import type { Budget } from '../job-reader.ts'
import type { Settings } from '../types.ts'

const MAX_EVENTS = 1000
const MAX_BYTES = 2 ** 16

export const helloFor = ({ heartbeatMs, mux }: Settings): Hello => ({ control: 'hello', protocol: PROTOCOL, heartbeatMs, mux })

/** What a stream reads between two writes. */
export const streamBudget = ({ maxBufferedBytes }: Settings): Budget => ({ events: MAX_EVENTS, bytes: Math.min(MAX_BYTES, maxBufferedBytes) })
