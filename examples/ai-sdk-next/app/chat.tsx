'use client'

import { subscribe } from 'jobtail'
import { aiSdk } from 'jobtail/backends'
import { useRouter } from 'next/navigation'
import { useEffect, useState } from 'react'

type Events = { output: { delta: string }; succeeded: { text?: string } | null }

const url = '/api/chat'
const backend = aiSdk({
  // The stream is kept while the model answers only. After that the chat has its answer.
  status: {
    request: (chat, { base }) => `${base}/${chat}`,
    read: (chat) => ('text' in Object(chat) ? [['succeeded', chat]] : [])
  }
})

export function Chat({ chatId }: { chatId: string | undefined }) {
  const router = useRouter()

  async function ask(form: FormData): Promise<void> {
    const id = crypto.randomUUID()
    const response = await fetch(url, { method: 'POST', body: JSON.stringify({ id, prompt: form.get('prompt') }) })
    await response.body?.cancel() // the answer is followed below, also after a reload
    router.replace(`?chat=${id}`)
  }

  return (
    <>
      <form action={ask}>
        <input name="prompt" aria-label="Your question" required />
        <button type="submit">Ask</button>
      </form>
      {chatId && <Answer key={chatId} chatId={chatId} />}
    </>
  )
}

function Answer({ chatId }: { chatId: string }) {
  const [text, setText] = useState('')
  const [end, setEnd] = useState<string>()

  useEffect(() => {
    const leaving = new AbortController()
    async function follow(): Promise<void> {
      for await (const event of subscribe<Events>(chatId, { url, backend, signal: leaving.signal })) {
        if (event.type === 'output') setText((before) => before + event.data.delta)
        if (event.type === 'succeeded' && event.data?.text) setText(event.data.text)
        if (event.type === 'succeeded') setEnd('complete')
        if (event.type === 'failed') setEnd(event.data.message)
      }
    }
    setText('') // the stream begins with its first piece
    follow().catch((error) => leaving.signal.aborted || setEnd(error.message))
    return () => leaving.abort()
  }, [chatId])

  return (
    <section>
      <p>{text}</p>
      <output>{end}</output>
    </section>
  )
}
