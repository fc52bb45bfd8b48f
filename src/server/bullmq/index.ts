/** `jobtail/server/bullmq`: logs the jobs of a BullMQ queue, so that they can be followed. */

export { type BullmqBridge, type BullmqBridgeOptions, bullmqBridge } from './bridge.ts'
export { onCancel } from './on-cancel.ts'
