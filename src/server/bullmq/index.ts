/** `jobtail/server/bullmq`: logs the jobs of a BullMQ queue, so that they can be followed. */

export { type BullmqBridge, bullmqBridge } from './bridge.ts'
export type { BullmqBridgeOptions } from './bridge-options.ts'
export { onCancel } from './on-cancel.ts'
