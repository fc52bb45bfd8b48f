import { Chat } from './chat'

/** The chat's id is in the address, so that a reload goes on with it. */
export default async function Page({ searchParams }: { searchParams: Promise<{ chat?: string }> }) {
  const { chat } = await searchParams
  return (
    <main>
      <h1>Chat</h1>
      <Chat chatId={chat} />
    </main>
  )
}
