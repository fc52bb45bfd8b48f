/** plainSse with a third-party server: Nchan, an nginx module. Skipped if this machine doesn't have it. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, vi } from 'vitest'
import { plainSse } from '../../src/backends.ts'
import { createClient } from '../../src/index.ts'
import { describeBackend } from '../../src/testing/backend.ts'
import { freePort } from '../server/redis-server.ts'
import { NCHAN_MODULE, nchan } from '../setup/peers.ts'

const nginx = nchan.find()

const configuration = (port: number): string => `load_module ${NCHAN_MODULE};
daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr;
events { worker_connections 256; }
http {
  access_log off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  server {
    listen 127.0.0.1:${port};
    location ~ ^/pub/([\\w-]+)$ { nchan_publisher; nchan_channel_id $1; nchan_message_buffer_length 100; }
    location ~ ^/sub/([\\w-]+)$ { nchan_subscriber; nchan_channel_id $1; nchan_subscriber_first_message oldest; nchan_eventsource_ping_interval 1; }
  }
}
`

describe.skipIf(!nginx)('Nchan', () => {
  let folder = ''
  let child: ChildProcess
  let base = ''
  let jobs = 0

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'jobtail-nchan-'))
    const port = await freePort()
    base = `http://127.0.0.1:${port}`
    writeFileSync(join(folder, 'nginx.conf'), configuration(port))
    child = spawn(nginx ?? 'nginx', ['-p', folder, '-c', 'nginx.conf'], { stdio: 'ignore' })
    await vi.waitFor(async () => expect((await fetch(`${base}/pub/none`)).status).toBe(404), { timeout: 10_000 })
  })
  afterAll(async () => {
    if (child.exitCode === null && child.kill()) await once(child, 'exit')
    rmSync(folder, { recursive: true })
  })

  const publish = async (id: string, body: string): Promise<void> => {
    expect((await fetch(`${base}/pub/${id}`, { method: 'POST', body })).ok).toBe(true)
  }
  describeBackend('plainSse, of Nchan', {
    promises: 'log',
    client: ({ url, token }) =>
      createClient({
        backend: plainSse({ cursor: { parameter: 'last_event_id' } }),
        url,
        memory: false,
        retry: { baseMs: 10, maxMs: 50 },
        ...(token && { token })
      }),
    async serve() {
      return {
        url: `${base}/sub`,
        job() {
          const id = `job-${++jobs}`
          return { id, step: (step) => publish(id, JSON.stringify({ step })), end: () => publish(id, '[DONE]') }
        },
        close() {}
      }
    },
    stepOf: ({ type, data }) => (type === 'output' ? (data as { step: number }).step : undefined) // as: published above
  })
})
