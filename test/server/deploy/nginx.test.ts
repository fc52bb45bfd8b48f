/** nginx in front of job servers, configured as in the documents. */

import { expect, onTestFinished, test } from 'vitest'
import { createClient } from '../../../src/core.ts'
import { createJobServer } from '../../../src/server/index.ts'
import { longPoll, shortPoll } from '../../../src/transports/poll.ts'
import { sse } from '../../../src/transports/sse.ts'
import { webSocket } from '../../../src/transports/websocket.ts'
import type { Diagnostic } from '../../../src/types.ts'
import { findProxy } from '../../setup/proxies.ts'
import { startNode, startProxy } from './proxy.ts'

const EVENTS = 5

const configuration = (listen: number, folder: string, upstream: number, location: string): string => `
pid ${folder}/nginx.pid;
events {}
http {
  access_log off;
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder}/${name};`).join('\n  ')}
  map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
  server {
    listen 127.0.0.1:${listen};
    location / {
      proxy_pass http://127.0.0.1:${upstream};
      ${location}
    }
  }
}
`

test.skipIf(!findProxy('nginx')).each([
  ['with its defaults, which buffer and block WebSocket, but respect X-Accel-Buffering', '', 'sse'],
  [
    'configured for WebSocket',
    'proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade; proxy_set_header Host $http_host;',
    'websocket'
  ],
  ['that buffers every stream', 'proxy_ignore_headers X-Accel-Buffering;', 'long-poll']
])(
  'nginx %s: each event arrives before the next one is made',
  async (_, location, expected) => {
    let heard = (): void => {}
    const jobs = createJobServer({
      async start(job) {
        for (let n = 1; n <= EVENTS; n += 1) {
          const had = new Promise<void>((resolve) => {
            heard = resolve
          })
          await job.output(n)
          await had
        }
        return 'the end'
      }
    })
    const node = await startNode(jobs)
    const origin = await startProxy('nginx', (port, folder) => configuration(port, folder, node.port, location))
    const said: Diagnostic[] = []
    const client = createClient({
      url: `${origin}/jobs`,
      transports: [webSocket(), sse(), longPoll(), shortPoll()],
      firstLook: false,
      probeTimeoutMs: 2000,
      onDiagnostic: (diagnostic) => said.push(diagnostic)
    })
    onTestFinished(() => client.close())
    const job = await client.start({})
    const outputs: unknown[] = []
    for await (const { type, data } of job) {
      if (type !== 'output') continue
      outputs.push(data)
      if (outputs.length === EVENTS) expect(job.state.connection.transport).toBe(expected)
      heard()
    }
    expect(outputs).toEqual([1, 2, 3, 4, 5])
    expect(await job.result).toBe('the end')
  },
  60_000
)
