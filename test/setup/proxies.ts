import { delimiter, join } from 'node:path'
import { isExecutable } from './browsers.ts'

interface Known {
  /** The variable with the path of the proxy. If it is empty, none is used. */
  variable: string
  commands: readonly string[]
  /** The names of the package in the distributions, Debian's first. */
  packages: readonly string[]
  /** The service that the package starts, if any. */
  service?: string
}

/** Proxies for tests and benchmarks between a page and a server. */
export type ProxyName = 'haproxy' | 'nginx' | 'apache' | 'caddy' | 'varnish' | 'lighttpd' | 'squid' | 'privoxy' | 'tinyproxy'

const simple = (name: string): Known => ({ variable: `${name.toUpperCase()}_PATH`, commands: [name], packages: [name], service: name })

export const knownProxies: Readonly<Record<ProxyName, Known>> = {
  haproxy: simple('haproxy'),
  nginx: simple('nginx'),
  // Debian's `apache2` adds a site and a service. The server and its modules are enough.
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
  // Distributions install these where only root's PATH looks.
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']
  return commands.flatMap((command) => folders.map((folder) => join(folder, command))).find(isExecutable)
}
