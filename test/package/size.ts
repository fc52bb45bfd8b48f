/** What a page has to load for each entry, in bytes: compressed by brotli at its highest level, with dependencies. */

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { brotliCompressSync, constants } from 'node:zlib'
import { nodeResolve } from '@rollup/plugin-node-resolve'
import terser from '@rollup/plugin-terser'
import { type Plugin, rollup, type WarningHandlerWithDefault } from 'rollup'
import { root } from './tarball.ts'

export interface Budget {
  what: string
  /** The code of a page that uses the entry, or the script that it loads. */
  of: { code: string } | { script: string }
  maxBytes: number
  /** Code that a page has anyway, whose size is subtracted. */
  beyond?: string
}

const ALL = "export * from 'jobtail'"
const CORE = "export { createClient } from 'jobtail/core'"
const POLL = `${CORE}; export { statusPoll } from 'jobtail/backends'`

/** What a page of Connect has besides: its own client, and a transport. */
const CONNECT = `${CORE}; export { createConnectTransport } from '@connectrpc/connect-web'; export { Code, ConnectError, createClient as clientOf } from '@connectrpc/connect'`
const MESSAGES = `export { fileDesc, messageDesc, serviceDesc } from '@bufbuild/protobuf/codegenv2'`
const CLIENT = "export { createClient, initialState, JobtailError, sharedClient } from 'jobtail'"

const STREAM = `${POLL}; export { ndjson, plainSse } from 'jobtail/backends'`

/** A backend on top of what it shares with others: streams share one reader and its parser, presets share their polling. */
const backend = (name: string, beyond: string, maxBytes: number): Budget => ({
  what: `${name}, on top`,
  of: { code: `${beyond}; export { ${name} as own } from 'jobtail/backends'` },
  beyond,
  maxBytes
})

/** A framework's entry, or some of what it exports, on top of what it uses of `jobtail`. The framework itself is not counted. */
const binding = (name: string, maxBytes: number, exported = '*'): Budget => ({
  what: `${exported === '*' ? 'all' : exported} of jobtail/${name}, on top`,
  of: { code: `${CLIENT}; export ${exported} from 'jobtail/${name}'` },
  beyond: CLIENT,
  maxBytes
})

/** An entry of its own on top of `jobtail`. */
const addition = (entry: string, names: string, maxBytes: number): Budget => ({
  what: `${entry}, on top`,
  of: { code: `${ALL}; export { ${names} } from 'jobtail/${entry}'` },
  beyond: ALL,
  maxBytes
})

/** The budgets, rounded up to 100 bytes. A commit that raises one says what for. The first three are above their targets, as the comment beside each says. */
export const budgets: readonly Budget[] = [
  { what: 'the script tag', of: { script: 'dist/jobtail.min.js' }, maxBytes: 22_800 }, // target 13,000: 9,800 too many
  { what: 'subscribe', of: { code: "export { subscribe } from 'jobtail'" }, maxBytes: 22_500 }, // target 12,800: 9,700 too many
  // Target 10,000: 10,800 too many.
  { what: 'core with event streams', of: { code: "export { createClient } from 'jobtail/core'; export { sse } from 'jobtail'" }, maxBytes: 20_800 },
  {
    what: 'the transport ndjson, on top',
    of: { code: `${CORE}; export { sse } from 'jobtail'; export { ndjson } from 'jobtail/core'` },
    beyond: `${CORE}; export { sse } from 'jobtail'`,
    maxBytes: 300
  },
  // Target 16,500, of which the client has 13,000.
  { what: 'the script tag with elements', of: { script: 'dist/jobtail-element.min.js' }, maxBytes: 27_100 },
  { what: 'elements, on top', of: { code: `${ALL}; import 'jobtail/element'` }, beyond: ALL, maxBytes: 4500 }, // target 3,500: 1,000 too many
  { what: 'the script tag with backends', of: { script: 'dist/jobtail-backends.min.js' }, maxBytes: 15_400 },
  addition('tanstack', 'jobQuery', 350), // target 300; 227 to 301 for the same code: brotli varies with what is before it
  addition('rxjs', 'toObservable', 300), // target 200: 100 too many
  addition('iterators', 'takeUntil, throttleLatest', 350),
  addition('away', 'notifyAtEnd', 400),
  { what: 'explain', of: { code: "export { explain } from 'jobtail/explain'" }, maxBytes: 900 },
  // Target 8,000.
  { what: 'devtools, on top', of: { code: `${ALL}; export { JobtailDevtools } from 'jobtail/devtools'` }, beyond: ALL, maxBytes: 7900 },
  binding('react', 900, '{ useJob }'),
  binding('react', 1400), // target 700: 700 too many
  binding('vue', 1200, '{ useJob }'), // 50 of them for `<KeepAlive>`
  binding('vue', 1600), // target 600: 900 too many
  binding('svelte', 1100, '{ useJob }'),
  binding('svelte', 1500), // target 500: 1,000 too many
  binding('solid', 1000, '{ createJob }'),
  binding('solid', 1400), // target 500: 800 too many
  binding('angular', 1100, '{ injectJob }'),
  binding('angular', 1500),
  backend('statusPoll', CORE, 2500), // 72 of them for `staleAfterMs`; later ones for forms with files, relative `Location`s, empty answers
  // All that streams share: several readings, gaps in the middle, a document in place of a stream, pauses that grow, which of them take `tail`,
  // the end that a cursor knows, logs that begin anew.
  backend('ndjson', POLL, 2400),
  backend('plainSse', `${POLL}; export { ndjson } from 'jobtail/backends'; export { createParser } from 'eventsource-parser'`, 250), // 145 to 219 for the same code of its own
  backend('durableStreams', STREAM, 700), // 606 to 678 for the same code with another error message: brotli varies by that much
  backend('aiSdk', STREAM, 300),
  backend('workflow', STREAM, 300),
  backend('openaiResponses', STREAM, 500),
  backend('langGraph', STREAM, 800),
  backend('mercure', STREAM, 300),
  backend('nchan', STREAM, 950),
  backend('fal', `${STREAM}; export { microsoftLro } from 'jobtail/backends'`, 600),
  backend('a2a', `${STREAM}; export { microsoftLro } from 'jobtail/backends'`, 900),
  backend('replicate', POLL, 400),
  backend('microsoftLro', POLL, 350),
  backend('googleLro', POLL, 350),
  backend('azureDurable', POLL, 350),
  backend('laravelBatch', POLL, 300),
  backend('celeryProgress', POLL, 450),
  backend('mcpTask', POLL, 600),
  backend('jobtailSnapshot', POLL, 200),
  // Its own code; a page that has no other use for Connect loads Connect as well.
  {
    what: 'connect, on top of Connect and Protobuf',
    of: { code: `${CONNECT}; ${MESSAGES}; export { connect } from 'jobtail/connect'` },
    beyond: `${CONNECT}; ${MESSAGES}`,
    maxBytes: 3400
  },
  {
    what: 'connect with Connect and Protobuf',
    of: { code: `${CORE}; export { connect } from 'jobtail/connect'; export { createConnectTransport } from '@connectrpc/connect-web'` },
    beyond: CORE,
    maxBytes: 30_900
  }
]

/** Sizes of what several budgets are beyond. */
const known = new Map<string, Promise<number>>()

export async function bytesOf({ of, beyond }: Budget): Promise<number> {
  if (beyond === undefined) return compressed(of)
  const before = known.get(beyond) ?? compressed({ code: beyond })
  known.set(beyond, before)
  return (await compressed(of)) - (await before)
}

async function compressed(of: Budget['of']): Promise<number> {
  const text = Buffer.from('script' in of ? await readFile(join(root, of.script)) : await bundled(of.code))
  return brotliCompressSync(text, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: text.length } }).length
}

/** Bundles the code out of `dist/` as a page's build does: rollup and terser, with their default settings. */
async function bundled(code: string): Promise<string> {
  const { exports, peerDependencies }: { exports: Record<string, { default: string }>; peerDependencies: object } = JSON.parse(
    await readFile(join(root, 'package.json'), 'utf8')
  )
  /** A page has its framework anyway; Connect's packages it has for the sake of `jobtail/connect`. */
  const peers = Object.keys(peerDependencies).filter((name) => !/^@(connectrpc|bufbuild)\//.test(name))
  const page = {
    name: 'page',
    resolveId(id: string) {
      if (id === 'page') return id
      const entry = exports[id.replace(/^jobtail/, '.')]
      return entry && join(root, entry.default)
    },
    load: (id: string) => (id === 'page' ? code : undefined)
  }
  const external = (id: string): boolean => peers.some((peer) => id === peer || id.startsWith(`${peer}/`))
  const build = await rollup({ input: 'page', external, plugins: [page, nodeResolve({ browser: true })], onwarn })
  const { output } = await build.generate({ format: 'es', plugins: [(terser as unknown as () => Plugin)()] }) // as: its types are those of its CommonJS form
  await build.close()
  return output[0].code
}

/** Connect's modules are down-levelled by TypeScript, with a `this` at their top that means nothing. */
const onwarn: WarningHandlerWithDefault = (warning, warn) => {
  if (warning.code !== 'THIS_IS_UNDEFINED') warn(warning)
}

if (import.meta.main) for (const budget of budgets) console.log(`${budget.what}: ${await bytesOf(budget)} of ${budget.maxBytes} bytes (brotli)`)
