import { describe, expect, test } from 'vitest'
import { allImports, cycle, importsOf, objection } from './imports.ts'

describe('the import rules', () => {
  test.each([
    ['connection/core.ts', 'link/link.ts'],
    ['delivery/link-jobs.ts', 'policy/position.ts'],
    ['policy/race.ts', 'types.ts'],
    ['backend/jobtail.ts', 'transports/http.ts'],
    ['client.ts', 'transports/sse.ts'],
    ['index.ts', 'backend/jobtail.ts'],
    ['errors.ts', 'protocol/events.ts'],
    ['protocol/parse.ts', 'errors.ts'],
    ['transports/sse.ts', 'eventsource-parser'],
    ['server/log/memory.ts', 'node:crypto'],
    ['cli/commands/follow-job.ts', 'index.ts'],
    ['cli/check/socket.ts', 'ws'],
    ['cli/proxy.ts', 'undici'],
    ['cli/arguments/command-line.ts', 'node:util'],
    ['server/index.ts', 'protocol/frames.ts'],
    ['server/bullmq/source.ts', 'bullmq'],
    ['server/bullmq/bridge.ts', 'server/log/types.ts'],
    ['server/redis/connection.ts', 'redis'],
    ['testing/event-log.ts', 'vitest'],
    ['testing/event-log.ts', 'server/log/types.ts'],
    ['testing/backend/faults.ts', 'node:http'],
    ['backends.ts', 'backend/plain-sse.ts'],
    ['devtools/report.ts', 'explain.ts'],
    ['devtools.ts', 'index.ts'],
    ['connect.ts', 'connect/backend.ts'],
    ['connect/calls.ts', '@connectrpc/connect'],
    ['connect/follow.ts', 'transports/cursors.ts'],
    ['server/connect.ts', 'server/core.ts'],
    ['server/connect/follow.ts', '@connectrpc/connect'],
    ['server/connect/follow.ts', 'connect/jobtail/v1/jobs_pb.ts'],
    ['vue.ts', 'vue'],
    ['svelte.ts', 'svelte/store'],
    ['angular.ts', '@angular/core'],
    ['solid.ts', 'binding/source.ts'],
    ['binding/source.ts', 'index.ts'],
    ['react.ts', 'react/use-job.ts'],
    ['react/use-job.ts', 'react'],
    ['react/use-job.ts', 'index.ts'],
    ['tanstack.ts', 'index.ts'],
    ['element/base.ts', 'index.ts'],
    ['binding/source.ts', 'index.ts']
  ])('%s may import %s', (from, to) => {
    expect(objection({ from, to })).toBeUndefined()
  })

  test.each([
    ['transports/sse.ts', 'connection/core.ts'],
    ['element/base.ts', 'errors.ts'],
    ['policy/race.ts', 'transports/sse.ts'],
    ['policy/position.ts', 'delivery/link-jobs.ts'],
    ['types.ts', 'delivery/job-table.ts'],
    ['errors.ts', 'types.ts'],
    ['link/link.ts', 'delivery/link-jobs.ts'],
    ['connection/connection.ts', 'pool.ts'],
    ['core.ts', 'index.ts'],
    ['transports/sse.ts', 'memory/indexed-db.ts'],
    ['async/queue.ts', 'errors.ts'],
    ['protocol/parse.ts', 'server/http-error.ts'],
    ['client.ts', 'index.ts'],
    ['transports/websocket.ts', 'ws'],
    ['memory/indexed-db.ts', 'node:fs'],
    ['server/index.ts', 'client.ts'],
    ['server/index.ts', 'types.ts'],
    ['server/index.ts', 'idb-keyval'],
    ['cli/commands.ts', 'server/index.ts'],
    ['cli/commands.ts', 'idb-keyval'],
    ['index.ts', 'cli/commands.ts'],
    ['server/index.ts', 'redis'],
    ['server/index.ts', 'server/bullmq/index.ts'],
    ['server/bullmq/bridge.ts', 'ioredis'],
    ['server/bullmq/bridge.ts', 'server/redis/index.ts'],
    ['server/index.ts', 'server/redis/index.ts'],
    ['server/redis/log.ts', 'vitest'],
    ['testing/event-log.ts', 'client.ts'],
    ['index.ts', 'backends.ts'],
    ['index.ts', 'devtools.ts'],
    ['devtools/recording.ts', 'types.ts'],
    ['devtools/dom.ts', 'idb-keyval'],
    ['index.ts', 'connect.ts'],
    ['connection/core.ts', '@connectrpc/connect'],
    ['connect/calls.ts', '@connectrpc/connect-web'],
    ['server/connect/follow.ts', 'connect/calls.ts'],
    ['server/connections.ts', '@connectrpc/connect'],
    ['server/core.ts', 'server/connect.ts'],
    ['server/core.ts', 'connect/jobtail/v1/jobs_pb.ts'],
    ['vue.ts', 'errors.ts'],
    ['vue.ts', 'svelte'],
    ['solid.ts', 'vue.ts'],
    ['binding/source.ts', 'vue'],
    ['binding/source.ts', 'state.ts'],
    ['index.ts', 'binding/source.ts'],
    ['react/use-job.ts', 'errors.ts'],
    ['tanstack.ts', 'types.ts'],
    ['rxjs.ts', 'rxjs'],
    ['react.ts', 'react-dom'],
    ['index.ts', 'react'],
    ['index.ts', 'react.ts'],
    ['misc/things.ts', 'types.ts']
  ])('%s may not import %s', (from, to) => {
    expect(objection({ from, to })).toEqual(expect.any(String))
  })
})

test('importsOf finds every form of import, and none in a comment', () => {
  const text = `
    /** import { a } from './comment.ts' */
    // import b from './comment.ts'
    import './effect.ts'
    import type { C } from '../types.ts'
    import {
      d,
      type E
    } from './several-lines.ts'
    export * from '../star.ts'
    export type { F } from '../type.ts'
    export const g = 'from'; const h = await import('./dynamic.ts')
    import i from 'package'`
  expect(importsOf('x/y.ts', text)).toEqual([
    { from: 'x/y.ts', to: 'x/effect.ts' },
    { from: 'x/y.ts', to: 'types.ts' },
    { from: 'x/y.ts', to: 'x/several-lines.ts' },
    { from: 'x/y.ts', to: 'star.ts' },
    { from: 'x/y.ts', to: 'type.ts' },
    { from: 'x/y.ts', to: 'x/dynamic.ts' },
    { from: 'x/y.ts', to: 'package' }
  ])
})

test('cycle finds a cycle', () => {
  const named = (from: string, to: string) => ({ from, to })
  expect(cycle([named('a.ts', 'b.ts'), named('a.ts', 'c.ts'), named('b.ts', 'c.ts')])).toBeUndefined()
  expect(cycle([named('a.ts', 'b.ts'), named('b.ts', 'c.ts'), named('c.ts', 'b.ts')])).toEqual(['b.ts', 'c.ts', 'b.ts'])
})

describe('src/', () => {
  const imports = allImports()

  test('every import follows the rules', () => {
    const wrong = imports.map((each) => ({ ...each, objection: objection(each) })).filter((each) => each.objection !== undefined)
    expect(imports.length).toBeGreaterThan(10)
    expect(wrong).toEqual([])
  })

  test('no module imports itself through others, not even types', () => {
    expect(cycle(imports)).toBeUndefined()
  })
})
