import { randomInt } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import type { JobContext } from '../../src/server/index.ts'
import type { Pace } from '../jobs.ts'

const sources = ['README.md', 'PROTOCOL.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'LICENSE']

/** The words that follow each pair of words. */
type Chain = Map<string, string[]>

/** Learns which words follow each other in the project's documents and writes a new text from that, word by word (a Markov chain). */
export async function streamText(job: JobContext, { steps, intervalMs }: Pace): Promise<{ words: number; characters: number; learntFrom: number }> {
  const words = await readWords()
  const chain = learn(words)
  await job.log(`learnt ${chain.size} pairs of words from the project's documents`)
  let pair = startOf(words)
  let characters = 0
  for (let step = 1; step <= steps; step += 1) {
    const following = chain.get(pair.join(' ')) ?? []
    const word = following[randomInt(Math.max(1, following.length))]
    pair = word === undefined ? startOf(words) : [pair[1], word]
    const chunk = `${pair[1]} `
    characters += chunk.length
    await job.output(chunk)
    if (step % 20 === 0 || step === steps) await job.progress({ ratio: step / steps, current: step, total: steps, unit: 'words', stage: 'writing' })
    await pause(intervalMs, undefined, { signal: job.signal })
  }
  return { words: steps, characters, learntFrom: words.length }
}

async function readWords(): Promise<string[]> {
  const read = await Promise.allSettled(sources.map((name) => readFile(new URL(`../../${name}`, import.meta.url), 'utf8')))
  const text = read.map((each) => (each.status === 'fulfilled' ? each.value : '')).join('\n')
  const prose = text.replace(/```[\s\S]*?```/g, ' ').replace(/[|`*#<>[\]{}()]/g, ' ')
  return prose.split(/\s+/).filter((word) => /^[\p{L}\p{N}'’.,:;–-]+$/u.test(word))
}

function learn(words: readonly string[]): Chain {
  const chain: Chain = new Map()
  for (let index = 0; index + 2 < words.length; index += 1) {
    const pair = `${words[index]} ${words[index + 1]}`
    const following = chain.get(pair) ?? []
    following.push(words[index + 2] ?? '')
    chain.set(pair, following)
  }
  return chain
}

/** Returns the first two words of a random sentence. */
function startOf(words: readonly string[]): [string, string] {
  const starts = words.flatMap((word, index) => (/[.:]$/.test(word) && index + 2 < words.length ? [index + 1] : []))
  const at = starts[randomInt(Math.max(1, starts.length))] ?? 0
  return [words[at] ?? 'nothing', words[at + 1] ?? 'learnt']
}
