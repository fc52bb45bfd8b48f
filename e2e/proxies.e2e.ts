/** A sample of `npm run proxies`: a page behind the proxies that `npm test` installs. */

import { describe, expect, test } from 'vitest'
import { runSetup } from '../bench/proxies/run.ts'
import { nameOf, setups } from '../bench/proxies/setups.ts'
import { findBrowser } from '../test/setup/browsers.ts'
import { findProxy } from '../test/setup/proxies.ts'

/** The transports that a proxy does not pass can't have been live, however busy the machine. */
const sample = [
  { name: 'nginx', cannot: ['websocket'] },
  { name: 'nginx: ignores X-Accel-Buffering', cannot: ['websocket'] },
  { name: 'haproxy: timeouts 2 s', cannot: [] }
]

describe.concurrent('behind a real proxy, as somebody in a hurry configures it', { timeout: 120_000 }, () => {
  const found = sample.flatMap((each) => {
    const setup = setups.find((known) => nameOf(known) === each.name)
    if (!setup) throw new Error(`no setup ${each.name}`)
    return findProxy(setup.proxy) && findBrowser('chromium') ? [{ ...each, setup }] : []
  })

  test.each(found)('$name: every event once, in order, to the end', async ({ setup, cannot }) => {
    const { client } = await runSetup(setup, { seconds: 2, restMs: 2200 })
    const { lost, repeated, outOfOrder, hasEnded, over, events } = client
    expect({ lost, repeated, outOfOrder, hasEnded, over, events }).toEqual({ lost: 0, repeated: 0, outOfOrder: 0, hasEnded: true, over: 'ended', events: 41 })
    expect(client.carriers).not.toHaveLength(0)
    for (const transport of cannot) expect(client.carriers).not.toContain(transport)
  })
})
