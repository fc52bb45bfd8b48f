import { readChat } from '../../../../lib/chats'

/** What is known of a chat: its answer, once that is complete. */
export async function GET(_: Request, { params }: { params: Promise<{ id: string }> }): Promise<Response> {
  const chat = await readChat((await params).id)
  return chat ? Response.json(chat) : new Response('no such chat', { status: 404 })
}
