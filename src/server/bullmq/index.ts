/** `jobtail/server/bullmq`: the jobs of a BullMQ queue as logs. */

export { type BullmqBridge, type BullmqBridgeOptions, bullmqBridge } from './bridge.ts'
export { onCancel } from './on-cancel.ts'
