/** Nchan, an nginx module, where this machine has it. A channel is a job. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, vi } from 'vitest'
import { freePort } from '../server/redis-server.ts'
import { NCHAN_MODULE, nchan } from '../setup/peers.ts'
import type { RecordedJob } from './foreign-server.ts'

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
    location ~ ^/interval/([\\w-]+)$ { nchan_subscriber interval-poll; nchan_channel_id $1; nchan_subscriber_first_message oldest; }
    location ~ ^/short/([\\w-]+)$ { nchan_subscriber; nchan_channel_id $1; nchan_subscriber_first_message oldest; nchan_subscriber_timeout 1; }
    location ~ ^/few/([\\w-]+)$ { nchan_publisher; nchan_channel_id $1; nchan_message_buffer_length 3; }
  }
}
`

export interface NchanServer {
  /** The URL of the channels: `{origin}/sub`. */
  url: string
  origin: string
  publish(id: string, body: string): Promise<void>
  job(): RecordedJob
  close(): Promise<void>
}

export async function startNchan(): Promise<NchanServer> {
  const folder = mkdtempSync(join(tmpdir(), 'jobtail-nchan-'))
  const port = await freePort()
  const origin = `http://127.0.0.1:${port}`
  writeFileSync(join(folder, 'nginx.conf'), configuration(port))
  const child = spawn(nchan.find() ?? 'nginx', ['-p', folder, '-c', 'nginx.conf'], { stdio: 'ignore' })
  await vi.waitFor(async () => expect((await fetch(`${origin}/pub/none`)).status).toBe(404), { timeout: 10_000 })
  let jobs = 0
  const publish = async (id: string, body: string): Promise<void> => {
    expect((await fetch(`${origin}/pub/${id}`, { method: 'POST', body })).ok).toBe(true)
  }
  /** Reads the channel's buffer by interval polls, each of which has one message. */
  async function record(id: string): Promise<number[]> {
    const steps: number[] = []
    for (let query = ''; ; ) {
      const answer = await fetch(`${origin}/interval/${id}${query}`)
      if (answer.status === 304) return steps
      const text = await answer.text()
      if (text !== '[DONE]') steps.push((JSON.parse(text) as { step: number }).step) // as: published below
      const second = Date.parse(answer.headers.get('last-modified') ?? '') / 1000
      query = `?last_event_id=${second}:${answer.headers.get('etag')}`
    }
  }
  return {
    url: `${origin}/sub`,
    origin,
    publish,
    job() {
      const id = `served-${++jobs}`
      return { id, step: (step) => publish(id, JSON.stringify({ step })), end: () => publish(id, '[DONE]'), record: () => record(id) }
    },
    async close() {
      if (child.exitCode === null && child.kill()) await once(child, 'exit')
      rmSync(folder, { recursive: true })
    }
  }
}
