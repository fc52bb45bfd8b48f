/**
 * `npm run proxies`: a page in Chromium, without a driver, follows jobs behind real proxies with hasty configurations. Prints a line for each, and
 * fails if the client lost, repeated or misplaced an event, or did not reach the job's end. Installs missing proxies if it can; names those left out.
 * `-- --only nginx,squid --seconds 4 --markdown --no-install`
 */

import { parseArgs } from 'node:util'
import { isExact } from '../e2e/matrix/measure.ts'
import { installProxies } from '../test/setup/install.ts'
import { findProxy, type ProxyName } from '../test/setup/proxies.ts'
import { runSetup } from './proxies/run.ts'
import { nameOf, type Setup, setups } from './proxies/setups.ts'
import { headOf, type Line, rowOf, sentenceOf } from './proxies/table.ts'

const { values } = parseArgs({
  options: {
    /** Filters: parts of the setups' names. */
    only: { type: 'string', default: '' },
    /** How long there is an event every 50 ms. Half of the events come before the pause, half after it. */
    seconds: { type: 'string', default: '8' },
    markdown: { type: 'boolean', default: false },
    'no-install': { type: 'boolean', default: false }
  }
})
const seconds = Number(values.seconds)
if (!(seconds >= 1 && seconds <= 60)) throw new RangeError(`--seconds: expected 1 to 60, got ${values.seconds}`)

/** The pause without events, longer than the proxies' short timeouts. */
const REST_MS = 3000
const NO_PROXY = 'no proxy'
const isWanted = (name: string): boolean => values.only.split(',').some((part) => name.includes(part.trim()))
const chosen: readonly (Setup | undefined)[] = [undefined, ...setups].filter((setup) => isWanted(setup ? nameOf(setup) : NO_PROXY))
if (chosen.length === 0) throw new RangeError(`--only: expected parts of ${[NO_PROXY, ...setups.map(nameOf)].join('; ')}, got ${values.only}`)

/** Handled, since a signal would otherwise end this process but not its children. */
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))

const proxies = [...new Set(chosen.flatMap((setup): ProxyName[] => (setup ? [setup.proxy] : [])))]
if (!values['no-install']) installProxies(proxies)

async function run(setup: Setup | undefined): Promise<Line> {
  const name = setup ? nameOf(setup) : NO_PROXY
  if (setup && !findProxy(setup.proxy)) return { name, outcome: 'left out: not installed' }
  try {
    return { name, outcome: await runSetup(setup, { seconds, restMs: REST_MS }) }
  } catch (error) {
    process.exitCode = 1
    return { name, outcome: `failed: ${error instanceof Error ? error.message.trim().replaceAll('\n', ' ') : error}` }
  }
}

const lines: Line[] = []
for (const setup of chosen) {
  const line = await run(setup)
  lines.push(line)
  if (typeof line.outcome !== 'string' && !isExact(line.outcome.client)) process.exitCode = 1
  console.error(sentenceOf(line))
}
console.log(values.markdown ? `\n${headOf()}\n${lines.map(rowOf).join('\n')}` : '')
