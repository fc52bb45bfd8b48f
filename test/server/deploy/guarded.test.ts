/** Real proxies that require credentials for `/jobs`. No other spelling of the path gets around them. */

import { expect, test, vi } from 'vitest'
import { createJobServer } from '../../../src/server/index.ts'
import { findProxy, type ProxyName } from '../../setup/proxies.ts'
import { openRaw } from '../defence/raw.ts'
import { startNode, startProxy } from './proxy.ts'

const haproxy = (listen: number, _: string, upstream: number): string => `
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend jobs
  bind 127.0.0.1:${listen}
  http-request deny if { path_beg /jobs } !{ req.hdr(authorization) -m found }
  default_backend nodes
backend nodes
  server a 127.0.0.1:${upstream}
`

const nginx = (listen: number, folder: string, upstream: number): string => `
pid ${folder}/nginx.pid;
events {}
http {
  access_log off;
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder}/${name};`).join('\n  ')}
  server {
    listen 127.0.0.1:${listen};
    merge_slashes off;
    location / { proxy_pass http://127.0.0.1:${upstream}; }
    location /jobs {
      if ($http_authorization = '') { return 403; }
      proxy_pass http://127.0.0.1:${upstream};
    }
  }
}
`

const SPELLINGS = [
  '/x/../jobs/42',
  '/x/%2e%2e/jobs/42',
  '/./jobs/42',
  '/%2e/jobs/42',
  '/x/..%2fjobs/42',
  '/x/..\\jobs/42',
  '//jobs/42',
  '/%6Aobs/42',
  '/%6aobs/42',
  '/x/..;/jobs/42',
  'http://x/x/../jobs/42'
]

test.skipIf(!findProxy('haproxy') || !findProxy('nginx')).each<[ProxyName, typeof haproxy]>([
  ['haproxy', haproxy],
  ['nginx', nginx]
])(
  'the rule of %s for the path applies to every spelling',
  async (name, configuration) => {
    const start = vi.fn()
    const jobs = createJobServer({ start, authorize: () => true })
    await jobs.publish('42', 'succeeded', 'secret')
    const node = await startNode(jobs)
    const port = Number(new URL(await startProxy(name, (own, folder) => configuration(own, folder, node.port))).port)
    async function ask(target: string, method = 'GET', headers = ''): Promise<[status: number, text: string]> {
      const raw = await openRaw(port, `${method} ${target} HTTP/1.1\r\nHost: x\r\n${headers}Content-Length: 0\r\nConnection: close\r\n\r\n`)
      await raw.closed
      return [Number(raw.text().slice(9, 12)), raw.text()]
    }
    expect((await ask('/jobs/42'))[0]).toBe(403)
    expect((await ask('/jobs/42', 'GET', 'Authorization: x\r\n'))[0]).toBe(200)
    for (const target of SPELLINGS) {
      const [status, text] = await ask(target)
      expect([target, status]).toEqual([target, expect.toBeOneOf([400, 403, 404])])
      expect(text).not.toContain('secret')
      await ask(target.replace('/42', ''), 'POST')
    }
    expect(start).not.toHaveBeenCalled()
  },
  60_000
)
