/** jobtail/backends: follows jobs of servers that do not speak Jobtail's protocol. Each function makes a `backend` for a client. */

export { type A2aOptions, a2a } from './backend/a2a.ts'
export { type AiSdkOptions, aiSdk, workflow } from './backend/ai-sdk.ts'
export type { DocumentEvents, ReadContext } from './backend/document.ts'
export { type DurableStreamsOptions, durableStreams } from './backend/durable-streams.ts'
export { type FalOptions, fal } from './backend/fal.ts'
export type { ForeignRequest, RequestHook, RequestHookContext } from './backend/foreign.ts'
export { type LangGraphOptions, langGraph } from './backend/lang-graph.ts'
export { type MercureOptions, mercure } from './backend/mercure.ts'
export type { EndRule, JobEventTuple, Message } from './backend/message.ts'
export { type NchanOptions, nchan } from './backend/nchan.ts'
export { type NdjsonOptions, ndjson } from './backend/ndjson.ts'
export { type OpenaiResponsesOptions, openaiResponses } from './backend/openai-responses.ts'
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
export { type ReplicateOptions, replicate } from './backend/replicate.ts'
export { type StatusPollOptions, statusPoll } from './backend/status-poll.ts'
export type { StreamOptions } from './backend/stream-options.ts'
