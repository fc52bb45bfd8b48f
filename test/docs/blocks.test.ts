/** What is read of a document, and that each way to get it wrong is noticed. */

import { describe, expect, test } from 'vitest'
import { blocksOf } from './blocks.ts'
import { compile } from './compile.ts'
import { programsOf } from './programs.ts'

const FENCE = '```'
/** A document of these lines; `~` stands for a fence. */
const documentOf = (...lines: string[]): string => lines.map((line) => line.replace(/^(\s*)~/, `$1${FENCE}`)).join('\n')
const problemsIn = (...lines: string[]): string[] => blocksOf('a.md', documentOf(...lines)).problems.map(({ line, message }) => `${line}: ${message}`)

/** What the compiler says to the blocks of such a document, by line. */
async function said(...lines: string[]): Promise<string[]> {
  const { blocks, problems } = blocksOf('a.md', documentOf(...lines))
  expect(problems).toEqual([])
  return (await compile(programsOf(blocks))).map(({ document, line, message }) => `${document}:${line}: ${message}`)
}

describe('comments', () => {
  test('say what is known of a block', () => {
    const { blocks, problems } = blocksOf(
      'a.md',
      documentOf('~ts', 'one', '~', '', '<!-- given: declare const a: 1', 'declare const b: 2 -->', '<!-- continues -->', '  ~ts [page.ts]{2}', '  two', '  ~')
    )
    expect(problems).toEqual([])
    expect(blocks).toMatchObject([
      { line: 1, language: 'ts', code: [{ text: 'one', line: 2 }], marks: { given: [], continues: false } },
      {
        line: 8,
        code: [{ text: 'two', line: 9 }],
        marks: {
          continues: true,
          given: [
            { text: ' declare const a: 1', line: 5 },
            { text: 'declare const b: 2 ', line: 6 }
          ]
        }
      }
    ])
  })

  test.each<[what: string, lines: string[], message: RegExp]>([
    ['an unknown word', ['<!-- givn: declare const a: 1 -->', '~ts', '~'], /^1: "givn" is no comment for a code block: given, continues/],
    ['a word without what it needs', ['<!-- run -->', '~ts', '~'], /^1: <!-- run: … --> needs something after the colon/],
    ['a word with what it does not take', ['<!-- node: yes -->', '~ts', '~'], /^1: <!-- node --> takes nothing after it, not "yes"/],
    ['no reason', ['<!-- unchecked: -->', '~ts', '~'], /^1: <!-- unchecked: … --> needs/],
    ['a line between it and its block', ['<!-- node -->', 'and', '~ts', '~'], /^1: <!-- node --> has no code block on the line after it/],
    ['nothing to continue', ['~sh', '~', '<!-- continues -->', '~ts', '~'], /^4: <!-- continues --> has no checked block before it/],
    ['a language that nothing checks', ['<!-- given: declare const a: 1 -->', '~sh', '~'], /^2: nothing type-checks the language "sh"/],
    ['a program for what the compiler checks', ['<!-- check: nginx -->', '~ts', '~'], /^2: the compiler checks the language "ts", not nginx/]
  ])('with %s are errors', (_, lines, message) => {
    expect(problemsIn(...lines)).toEqual([expect.stringMatching(message)])
  })

  test('that are none of ours are left alone elsewhere', () => {
    expect(problemsIn('<!-- a note -->', 'text', '~ts', '~')).toEqual([])
  })
})

test.each([
  ['in no known language', ['~typescript', '~'], /^1: the language "typescript" is not known: ts, tsx/],
  ['that is not closed', ['~ts', 'text'], /^1: the code block is not closed/]
])('a block %s is an error', (_, lines, message) => {
  expect(problemsIn(...lines)).toEqual([expect.stringMatching(message)])
})

describe('the compiler', () => {
  test('names the line of the document, in a block, in what is given, and in what continues', { timeout: 120_000 }, async () => {
    const messages = await said(
      ...['<!-- given: declare const bar: HTMLProgressElement; declare const no: Missing -->', '~ts'],
      ...["import { subscribe } from 'jobtail'", 'bar.value = subscribe(42).state.progress?.ratio ?? 0', '~'],
      ...['<!-- continues -->', '~ts', "bar.value = 'half'", '~']
    )
    expect(messages).toEqual([
      expect.stringMatching(/^a\.md:1: TS2304: .*'Missing'/),
      expect.stringMatching(/^a\.md:4: TS2345: /),
      expect.stringMatching(/^a\.md:8: TS2322: /)
    ])
  })

  test('knows a page from a server, scripts from markup, and modules of the user', { timeout: 120_000 }, async () => {
    const messages = await said(
      ...['~ts', "import { createJobServer } from 'jobtail/server'", 'createJobServer().attach(document)', '~'],
      ...['<!-- node -->', '~ts', 'process.exit(window)', '~'],
      ...['~tsx', 'export const Bar = () => <progress value={true} />', '~'],
      ...['~html', '<p>not code</p>', '<script>Jobtail.follow("42")</script>', '~'],
      ...[
        "<!-- given: declare module './jobs' { export const jobs: number } -->",
        '~ts',
        "import { jobs } from './jobs'",
        'export const text: string = jobs',
        '~'
      ]
    )
    expect(messages.sort()).toEqual([
      expect.stringMatching(/^a\.md:10: TS2322: .*'true'/),
      expect.stringMatching(/^a\.md:14: TS2339: .*'follow'/),
      expect.stringMatching(/^a\.md:19: TS2322: .*'number'/),
      expect.stringMatching(/^a\.md:3: TS\d+: .*'document'/),
      expect.stringMatching(/^a\.md:7: TS\d+: .*'window'/)
    ])
  })

  test('holds declarations against what is exported', { timeout: 120_000 }, async () => {
    const messages = await said(
      '<!-- declarations -->',
      ...['~ts', 'interface StartOptions { after?: string; idempotencyKey?: string; colour?: string }'],
      ...['interface Nothing {}', 'interface JobCursor { job: number; after?: string; epoch?: string; seq?: number; ref: number }'],
      ...["type ConnectionPhase = 'idle' | 'connecting' | 'live' | 'waiting' | 'offline' | 'closed'", '~']
    )
    expect(messages).toEqual([
      expect.stringMatching(/^a\.md:3: TS2322: .*colour/),
      expect.stringMatching(/^a\.md:4: TS2322: .*lacks/),
      expect.stringMatching(/^a\.md:4: TS2694: .*'Nothing'/),
      expect.stringMatching(/^a\.md:5: TS2322: .*the source has/)
    ])
  })
})
