/** Exchanges with real servers: recorded ones, or ones written by their source code. Each file of `fixtures/` says which. */

import { readFileSync } from 'node:fs'
import type { Answer } from './following.ts'

export interface Exchange {
  name: string
  request: { method: string; target: string; headers: Record<string, string>; body?: string }
  response: { status: number; headers: Record<string, string>; end: string; body: { text?: string }[] }
}

export function recording(file: string): (name: string) => Exchange {
  const { exchanges } = JSON.parse(readFileSync(new URL(`./fixtures/${file}.json`, import.meta.url), 'utf8')) as { exchanges: Exchange[] } // as: what is in it
  return (name) => {
    const found = exchanges.find((each) => each.name === name)
    if (!found) throw new Error(`there is no exchange "${name}"`)
    return found
  }
}

/** A recorded answer, without the pauses that it asks for. */
export const answerOf = ({ response: { status, headers, body } }: Exchange): Answer => {
  const { 'retry-after': _, ...rest } = headers
  return {
    status,
    headers: { 'content-type': 'application/json', ...rest },
    body: body.map(({ text = '' }) => text.replaceAll('"pollIntervalMs":1000', '"pollIntervalMs":1'))
  }
}
