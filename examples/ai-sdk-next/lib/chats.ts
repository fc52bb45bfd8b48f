import { after } from 'next/server'
import { createClient } from 'redis'
import { createResumableStreamContext } from 'resumable-stream'

/** Streams that another request can resume. It connects to `REDIS_URL`. */
export const streams = createResumableStreamContext({ waitUntil: after })

/** What is known of a chat: its stream while the model answers, then its answer. Replace this by your database. */
export type Chat = { streamId: string } | { text: string }

const SECONDS_KEPT = 86_400

let connecting: ReturnType<typeof connect> | undefined
const connect = () => createClient({ url: process.env.REDIS_URL ?? 'redis://localhost:6379' }).connect()
const redis = () => {
  connecting ??= connect()
  return connecting
}

export async function readChat(id: string): Promise<Chat | undefined> {
  const found = await (await redis()).get(`chat:${id}`)
  return found ? JSON.parse(found) : undefined
}

export async function saveChat(id: string, chat: Chat): Promise<void> {
  await (await redis()).set(`chat:${id}`, JSON.stringify(chat), { EX: SECONDS_KEPT })
}
