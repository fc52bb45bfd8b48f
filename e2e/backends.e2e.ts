/** Each backend behind the demo's misbehaving proxy, in Chromium. `npm run backends` has every fault for each; `npm test` one fault for each, in turn. */

import type { Browser } from 'playwright'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Server, servers } from '../test/backends/servers.ts'
import { type SubjectName, subjectNames, subjects } from '../test/backends/subjects.ts'
import { type Outcome, runCell } from './backends/cell.ts'
import { type Fault, faults } from './backends/faults.ts'
import { broken } from './backends/promise.ts'
import { backendsTable } from './backends/table.ts'
import { isInstalled, launchBrowser } from './browsers.ts'

const isWhole = process.env.BACKENDS === 'all'
const here = subjectNames.filter((name) => servers[name].isHere)
const cells = here.flatMap((name, index) =>
  (isWhole ? faults : faults.filter((_, at) => at === index % faults.length)).map((fault) => ({ name, fault, what: fault.name }))
)

describe.skipIf(!isInstalled('chromium')).concurrent('through the proxy', { timeout: 120_000 }, () => {
  let browser: Browser
  const started = new Map<SubjectName, Promise<Server>>()
  const outcomes = new Map<SubjectName, Map<Fault, Outcome>>(here.map((name) => [name, new Map()]))
  beforeAll(async () => {
    browser = await launchBrowser('chromium')
  }, 60_000)
  afterAll(async () => {
    await browser.close()
    for (const server of started.values()) await (await server).close()
    if (isWhole) console.log(`Chromium ${browser.version()}\n\n${backendsTable(here, (name, fault) => outcomes.get(name)?.get(fault))}`)
  }, 60_000)

  /** The subject's server, started once. */
  function serverOf(name: SubjectName): Promise<Server> {
    const server = started.get(name) ?? servers[name].start()
    started.set(name, server)
    return server
  }

  test.for(cells)('$name keeps its promise: $what', async ({ name, fault }) => {
    const outcome = await runCell(browser, name, await serverOf(name), fault)
    outcomes.get(name)?.set(fault, outcome)
    expect(broken(subjects[name].backend.promises, outcome)).toEqual([])
  })
})
