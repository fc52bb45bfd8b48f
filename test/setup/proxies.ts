import { delimiter, join } from 'node:path'
import { isExecutable } from './browsers.ts'

/** Reverse proxies that tests put in front of a server. */
export type ProxyName = 'haproxy' | 'nginx'

/** Where whoever runs the tests may say which one to use; empty for none. */
const variables: Record<ProxyName, string> = { haproxy: 'HAPROXY_PATH', nginx: 'NGINX_PATH' }

export function findProxy(name: ProxyName): string | undefined {
  const asked = process.env[variables[name]]
  if (asked !== undefined) return asked || undefined
  // Distributions put them where only root looks.
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']
  return folders.map((folder) => join(folder, name)).find(isExecutable)
}
