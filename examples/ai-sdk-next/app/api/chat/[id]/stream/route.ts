import { UI_MESSAGE_STREAM_HEADERS } from 'ai'
import { readChat, streams } from '../../../../../lib/chats'

/** Resumes the stream of a chat: all of it again, then what comes. 204: there is none any more. */
export async function GET(_: Request, { params }: { params: Promise<{ id: string }> }): Promise<Response> {
  const chat = await readChat((await params).id)
  if (!chat) return new Response('no such chat', { status: 404 })
  const stream = 'streamId' in chat ? await streams.resumeExistingStream(chat.streamId) : undefined
  return stream ? new Response(stream.pipeThrough(new TextEncoderStream()), { headers: UI_MESSAGE_STREAM_HEADERS }) : new Response(null, { status: 204 })
}
