/** jobtail/backends: follows jobs of servers that do not speak Jobtail's protocol. Each function makes a `backend` for a client. */

export type { Look, Said } from './backend/document.ts'
export type { Asked, ForeignRequest, RequestHook } from './backend/foreign.ts'
export type { EndRule, Meaning, Message } from './backend/message.ts'
export { type NdjsonOptions, ndjson } from './backend/ndjson.ts'
export { plainSse } from './backend/plain-sse.ts'
export {
  type AzureDurableOptions,
  azureDurable,
  celeryProgress,
  type GoogleLroOptions,
  googleLro,
  jobtailSnapshot,
  laravelBatch,
  type MicrosoftLroOptions,
  mcpTask,
  microsoftLro,
  type PresetOptions
} from './backend/presets.ts'
export { type StatusPollOptions, statusPoll } from './backend/status-poll.ts'
export type { StreamOptions } from './backend/stream.ts'
