/** Nchan in a real nginx, if both are installed. */

import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createPayloads, eventOf } from './payload.ts'

const MODULE = '/usr/lib/nginx/modules/ngx_nchan_module.so'
const TICKS_PER_SECOND = 100

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as net.AddressInfo // as: it listens on TCP
  await new Promise((resolve) => server.close(resolve))
  return port
}

export interface Nchan {
  port: number
  send(count: number, pauseMs: number): Promise<void>
  memory(): Promise<number>
  cpuMs(): Promise<number>
  stop(): Promise<void>
}

export async function startNchan(): Promise<Nchan | undefined> {
  if (!existsSync(MODULE) || !existsSync('/usr/sbin/nginx')) return undefined
  const folder = mkdtempSync(join(tmpdir(), 'jobtail-nchan-'))
  const port = await freePort()
  const config = join(folder, 'nginx.conf')
  writeFileSync(
    config,
    `load_module ${MODULE};
daemon off; master_process off; error_log ${folder}/error.log; pid ${folder}/pid;
events { worker_connections 20000; }
http {
  access_log off; client_body_temp_path ${folder}; proxy_temp_path ${folder}; fastcgi_temp_path ${folder}; uwsgi_temp_path ${folder}; scgi_temp_path ${folder};
  nchan_shared_memory_size 256M;
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location = /pub { nchan_publisher; nchan_channel_id bench; keepalive_requests 1000000; }
    location = /sub { nchan_subscriber websocket eventsource; nchan_channel_id bench; nchan_subscriber_first_message newest; }
  }
}`
  )
  const nginx = spawn('/usr/sbin/nginx', ['-c', config, '-e', join(folder, 'error.log')], { stdio: 'inherit' })
  const exited = new Promise((resolve) => nginx.once('exit', resolve))
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })

  const post = (body: string): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const req = http.request({ port, host: '127.0.0.1', path: '/pub', method: 'POST', agent, headers: { 'content-type': 'application/json' } }, (res) => {
        res.resume().on('end', () => resolve(res.statusCode))
      })
      req.on('error', reject).end(body)
    })
  const listens = (): Promise<boolean> =>
    new Promise((resolve) => {
      const socket = net.connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false))
      socket.on('connect', () => socket.destroy())
    })
  while (!(await listens())) if (nginx.exitCode !== null) throw new Error(`nginx did not start:\n${readFileSync(join(folder, 'error.log'), 'utf8')}`)

  const nextPayload = createPayloads()
  return {
    port,
    async send(count, pauseMs) {
      for (let sent = 0; sent < count; sent += 1) {
        await post(JSON.stringify(eventOf(nextPayload())))
        if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs))
      }
    },
    async memory() {
      const kb = Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${nginx.pid}/status`, 'utf8'))?.[1])
      return kb * 1024
    },
    async cpuMs() {
      // Fields 14 and 15 of proc(5), counted from the end of the process's name, which may contain any character.
      const [user, system] = readFileSync(`/proc/${nginx.pid}/stat`, 'utf8').split(') ')[1]?.split(' ').slice(11, 13).map(Number) ?? []
      return (((user ?? 0) + (system ?? 0)) / TICKS_PER_SECOND) * 1000
    },
    async stop() {
      agent.destroy()
      nginx.kill()
      await exited
      rmSync(folder, { recursive: true, force: true })
    }
  }
}
