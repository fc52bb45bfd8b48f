import { type LanguageModel, simulateReadableStream } from 'ai'
import { MockLanguageModelV4 } from 'ai/test'

const words = 'Long answers take a while . You may reload this page meanwhile : it goes on where the answer is .'.split(/(?= )/)
const usage = {
  inputTokens: { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: words.length, text: words.length, reasoning: 0 }
}

/** A model that needs no key: it says the same each time. Replace it by yours, such as `openai('gpt-5')` of `@ai-sdk/openai`. */
export const model: LanguageModel = new MockLanguageModelV4({
  doStream: async () => ({
    stream: simulateReadableStream({
      chunkDelayInMs: 300,
      chunks: [
        { type: 'stream-start', warnings: [] },
        { type: 'text-start', id: 'answer' },
        ...words.map((delta) => ({ type: 'text-delta', id: 'answer', delta }) as const),
        { type: 'text-end', id: 'answer' },
        { type: 'finish', finishReason: { unified: 'stop', raw: 'stop' }, usage }
      ]
    })
  })
})
