/** Single reads, as NDJSON and as JSON. */

import { describe, expect, it, onTestFinished } from 'vitest'
import { readOnce } from '../../src/transports/read-once.ts'
import type { OpenRequest } from '../../src/types.ts'
import { type Asked, openReader, type Reader } from './reader.ts'
import { bodyOf, event, reading, type ScriptedFetch, scriptFetch } from './scripted-fetch.ts'

const base = new URL('http://localhost/jobs')
const hello = { control: 'hello', protocol: 1, heartbeatMs: 15_000 }
const subscribed = (job: string, seq: number) => ({ control: 'subscribed', job, epoch: 'e', seq, cursor: `e-${seq}`, status: 'running' })
const end = (more: boolean) => ({ control: 'end', more })
const line = (frame: object): string => `${JSON.stringify(frame)}\n`
const lines = (...frames: object[]): string => frames.map(line).join('')
const ndjson = (...pieces: string[]): Response => new Response(bodyOf(pieces), { headers: { 'content-type': 'application/x-ndjson; charset=utf-8' } })

function open(script: ScriptedFetch, jobs?: readonly Asked[], more?: Partial<OpenRequest>): Reader {
  const reader = openReader(readOnce(), base, jobs, { ...more, fetch: script.fetch })
  onTestFinished(() => reader.abort())
  return reader
}

it('asks for lines, and takes one JSON from whoever has no lines', async () => {
  const script = scriptFetch(reading(0, 2, { more: true }), reading(2, 3))
  const reader = await open(script).toEnd()
  expect(script.asked[0]?.headers.get('accept')).toBe('application/x-ndjson, application/json;q=0.5')
  expect(script.asked.map(({ url }) => url.searchParams.get('after'))).toEqual([null, 'e-2'])
  expect(reader.events).toEqual([event(1), event(2), event(3)])
  expect(readOnce()).toMatchObject({ name: 'read-once' })
})

it('hands frames on as they arrive, and ends after the last line', async () => {
  let body: ReadableStreamDefaultController<Uint8Array> | undefined
  const stream = new ReadableStream({
    start(controller) {
      body = controller
    }
  })
  const send = (text: string): void => body?.enqueue(new TextEncoder().encode(text))
  const { frames } = open(scriptFetch(new Response(stream, { headers: { 'content-type': 'application/x-ndjson' } })))
  const first = frames.next()
  send(lines(hello, subscribed('42', 0), event(1)))
  expect([...((await first).value as Iterable<unknown>)]).toEqual([hello, subscribed('42', 0), event(1)]) // as: the link has not ended
  const second = frames.next()
  send(line(event(2)).slice(0, 30))
  expect(await second).toMatchObject({ done: false, value: { length: 0, textLength: 30 } })
  const third = frames.next()
  send(line(event(2)).slice(30) + line(end(false)))
  expect([...((await third).value as Iterable<unknown>)]).toEqual([event(2)]) // as: the link has not ended
  body?.close()
  await frames.next()
  expect((await frames.next()).done).toBe(true)
})

it('is the same frames wherever it is cut in two', async () => {
  const frames = [hello, subscribed('42', 0), { ...event(1, 'ü€😀 \u2028'), type: 'log' }]
  const bytes = new TextEncoder().encode(`\n${lines(...frames, end(false))}`)
  for (let at = 0; at <= bytes.length; at++) {
    const body = new Response(bodyOf([bytes.slice(0, at), bytes.slice(at)]), { headers: { 'content-type': 'application/x-ndjson' } })
    expect((await open(scriptFetch(body)).toEnd()).had, `cut at ${at}`).toEqual(frames)
  }
})

it('asks on from its cursors while there is more, for the jobs that have neither ended nor failed', async () => {
  const jobs = [{ job: '42', after: 'e-1' }, { job: 'over' }, { job: 'gone' }, { job: 'quiet', after: 'tail' }]
  const error = { control: 'error', job: 'gone', status: 410, code: 'history-gone', message: 'gone' }
  const done = { control: 'done', job: 'over', cursor: 'e-0' }
  const script = scriptFetch(
    ndjson(lines(hello, subscribed('42', 1), subscribed('over', 0), subscribed('quiet', 7), event(2), done, error, end(true))),
    ndjson(lines(hello, subscribed('42', 2), subscribed('quiet', 7), event(3), end(false)))
  )
  const reader = await open(script, jobs).toEnd()
  expect(script.asked.map(({ url }) => url.search)).toEqual([
    '?job=42&after=e-1&job=over&after=&job=gone&after=&job=quiet&after=tail',
    '?job=42&after=e-2&job=quiet&after=e-7'
  ])
  expect(reader.events.map(({ seq }) => seq)).toEqual([2, 3])
  expect(reader.had).toContainEqual(error)
})

it('asks no more where all have ended', async () => {
  const script = scriptFetch(ndjson(lines(hello, { control: 'done', job: '42', cursor: 'e-9' }, end(true))))
  await open(script).toEnd()
  expect(script.asked).toHaveLength(1)
})

describe('a body', () => {
  it.each([
    ['without its last line', lines(hello, subscribed('42', 0), event(1)), [1]],
    ['in the middle of a line', lines(hello, subscribed('42', 0), event(1)) + line(event(2)).slice(0, 40), [1]],
    ['that is empty', '', []]
  ])('%s was cut', async (_, text, seqs) => {
    const reader = open(scriptFetch(ndjson(text)))
    await expect(reader.toEnd()).rejects.toMatchObject({ reason: 'cut' })
    expect(reader.events.map(({ seq }) => seq)).toEqual(seqs)
  })

  it('may leave out the last newline', async () => {
    expect((await open(scriptFetch(ndjson(lines(hello, event(1), end(false)).trimEnd()))).toEnd()).events).toHaveLength(1)
  })

  it('gives what came before a malformed line', async () => {
    const reader = open(scriptFetch(ndjson(`${lines(hello, event(1))}{"id":7}\n${line(end(false))}`)))
    await expect(reader.toEnd()).rejects.toMatchObject({ reason: 'protocol', message: expect.stringContaining('{"id":7}') })
    expect(reader.events).toEqual([event(1)])
  })

  it('holds no line without an end', async () => {
    const reader = open(scriptFetch(ndjson(...Array.from({ length: 17 }, () => 'x'.repeat(2 ** 20)))))
    await expect(reader.toEnd()).rejects.toMatchObject({ reason: 'protocol', message: expect.stringContaining('16777216') })
  })
})

it('hands on the refusal of a problem, and ends', async () => {
  const problem = new Response('{"status":403,"code":"forbidden","title":"no"}', { status: 403, headers: { 'content-type': 'application/problem+json' } })
  expect((await open(scriptFetch(problem)).toEnd()).had).toEqual([{ control: 'error', status: 403, code: 'forbidden', message: 'no' }])
})

it.each([
  ['lines', () => ndjson(lines(hello, subscribed('42', 0), end(true)))],
  ['JSON', () => reading(0, 0, { more: true })]
])('an answer of %s that brings nothing and says that there is more is not asked on', async (_, answer) => {
  const script = scriptFetch(answer(), answer(), answer())
  await expect(open(script).toEnd()).rejects.toMatchObject({ reason: 'protocol', message: 'an answer has more: true, but no event' })
  expect(script.asked).toHaveLength(1)
})
