import { delimiter, join } from 'node:path'
import { isExecutable } from './browsers.ts'

interface Known {
  /** Where whoever runs the tests may say which one to use; empty for none. */
  variable: string
  commands: readonly string[]
  /** The names that distributions give the package, Debian's first. */
  packages: readonly string[]
  /** The service that comes with the package, where one does. */
  service?: string
}

/** Proxies that tests and benchmarks put between a page and a server. */
export type ProxyName = 'haproxy' | 'nginx' | 'apache' | 'caddy' | 'varnish' | 'lighttpd' | 'squid' | 'privoxy' | 'tinyproxy'

const simple = (name: string): Known => ({ variable: `${name.toUpperCase()}_PATH`, commands: [name], packages: [name], service: name })

export const knownProxies: Readonly<Record<ProxyName, Known>> = {
  haproxy: simple('haproxy'),
  nginx: simple('nginx'),
  // Debian's `apache2` would bring a site and a service; the server itself and its modules are all that it takes.
  apache: { variable: 'APACHE_PATH', commands: ['apache2', 'httpd'], packages: ['apache2-bin', 'httpd', 'apache', 'apache2'] },
  caddy: simple('caddy'),
  varnish: { ...simple('varnish'), commands: ['varnishd'] },
  lighttpd: simple('lighttpd'),
  squid: simple('squid'),
  privoxy: simple('privoxy'),
  tinyproxy: simple('tinyproxy')
}

export function findProxy(name: ProxyName): string | undefined {
  const { variable, commands } = knownProxies[name]
  const asked = process.env[variable]
  if (asked !== undefined) return asked || undefined
  // Distributions put them where only root looks.
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']
  return commands.flatMap((command) => folders.map((folder) => join(folder, command))).find(isExecutable)
}
