import { expect, test } from 'vitest'
import { type ClusterOptions, runCluster } from '../../../bench/cluster/run.ts'
import { findProxy } from '../../setup/proxies.ts'
import { redisPath } from '../redis-server.ts'

const FOLLOWERS = 100
const JOBS = 20
const EVENTS = 80

const run = (appendfsync: ClusterOptions['appendfsync']) =>
  runCluster({
    followers: FOLLOWERS,
    jobs: JOBS,
    events: EVENTS,
    everyMs: 50,
    appendfsync,
    awayMs: 0,
    pollMs: 200,
    processes: 1,
    patienceMs: 120_000
  })

const isMissing = !findProxy('haproxy') || !redisPath

test.skipIf(isMissing)(
  'two nodes behind HAProxy and a Redis with appendfsync always are killed in turn: a hundred followers get each event once, over all four transports',
  async () => {
    const { wrong, kept, byTransport, kills } = await run('always')
    expect(wrong).toEqual([])
    expect(kills.map(({ whom }) => whom)).toEqual(['node 1', 'node 2', 'Redis'])
    expect(kept).toMatchObject({ dropped: 0, unacknowledged: 0, epochs: JOBS })
    const delivered = [...byTransport.values()].reduce((sum, each) => sum + each.delivered, 0)
    expect(delivered).toBe((kept.acknowledged * FOLLOWERS) / JOBS)
    for (const exactness of byTransport.values()) expect(exactness).toMatchObject({ lost: 0, repeated: 0, gaps: 0, ended: FOLLOWERS / 4 })
    expect(byTransport.size).toBe(4)
  },
  240_000
)

test.skipIf(isMissing)(
  'where Redis has lost what it had not synced, every follower gets a gap to the new epoch, and every event of it',
  async () => {
    const { wrong, kept, byTransport } = await run('everysec')
    expect(wrong).toEqual([])
    expect(kept.dropped).toBeGreaterThan(0)
    expect(kept).toMatchObject({ silentlyDropped: 0, epochs: 2 * JOBS })
    for (const exactness of byTransport.values())
      expect(exactness).toMatchObject({ lost: 0, repeated: 0, unannounced: 0, gaps: FOLLOWERS / 4, ended: FOLLOWERS / 4 })
    expect(byTransport.size).toBe(4)
  },
  240_000
)
