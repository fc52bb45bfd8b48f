import { createUIMessageStreamResponse, generateId, streamText, toUIMessageStream } from 'ai'
import { saveChat, streams } from '../../../lib/chats'
import { model } from '../../../lib/model'

/** Starts an answer. It goes on when the page leaves. */
export async function POST(request: Request): Promise<Response> {
  const { id, prompt } = await request.json()
  const { stream } = streamText({ model, prompt, onEnd: ({ text }) => saveChat(id, { text }) })
  return createUIMessageStreamResponse({
    stream: toUIMessageStream({ stream }),
    async consumeSseStream({ stream }) {
      const streamId = generateId()
      await streams.createNewResumableStream(streamId, () => stream)
      await saveChat(id, { streamId })
    }
  })
}
