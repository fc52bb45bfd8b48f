/** Finds the proxy in HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY, as curl does. The lower-case names win. */

import type { Agent } from 'node:http'
import { BlockList, isIP } from 'node:net'
import { UsageError } from './exit-codes.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** How to reach a URL: directly or through a proxy. */
export interface Route {
  /** `undefined`: directly. */
  proxy: URL | undefined
  fetch: typeof globalThis.fetch
  /** The agent for WebSockets. */
  agent: Agent | undefined
}

/**
 * The proxy for a URL; `undefined` where none is to be used.
 *
 * @throws {UsageError} where the environment names a proxy that is no http: or https: URL
 */
export function proxyFor({ protocol, hostname, port }: URL, env: Environment): URL | undefined {
  const read = (name: string): string => env[name] || env[name.toUpperCase()] || ''
  const host = hostname.replace(/^\[|\]$/g, '')
  const named = read(protocol.replace(':', '_proxy')) || read('all_proxy')
  if (!named || isExcluded(host, port || (protocol === 'https:' ? '443' : '80'), read('no_proxy'))) return undefined
  const text = named.includes('://') ? named : `http://${named}`
  const proxy = URL.canParse(text) ? new URL(text) : undefined
  if (!proxy || !/^https?:$/.test(proxy.protocol))
    throw new UsageError(`the proxy in the environment: expected an http: or https: URL, got ${proxy?.protocol ?? 'no valid URL'}`)
  return proxy
}

/**
 * Whether NO_PROXY lists the host. Entries are `*`, hosts with or without a port, domains (`example.com`, `.example.com` and `*.example.com` mean the same: the
 * domain and all below it), IP addresses, and networks such as `10.0.0.0/8`.
 */
function isExcluded(host: string, port: string, list: string): boolean {
  return list
    .toLowerCase()
    .split(/[\s,]+/)
    .filter(Boolean)
    .some((entry) => {
      if (entry === '*') return true
      if (entry.includes('/')) return isInNetwork(host, entry)
      if (isIP(entry)) return entry === host
      const [, name = '', only] = /^\*?\.?\[?(.*?)\]?(?::(\d+))?$/.exec(entry) ?? []
      return (only === undefined || only === port) && name !== '' && (host === name || (!isIP(host) && host.endsWith(`.${name}`)))
    })
}

function isInNetwork(host: string, network: string): boolean {
  const [address = '', bits = ''] = network.split('/')
  const version = isIP(host)
  if (version === 0 || isIP(address) !== version || !/^\d+$/.test(bits) || Number(bits) > (version === 4 ? 32 : 128)) return false
  const list = new BlockList()
  const family = version === 4 ? 'ipv4' : 'ipv6'
  list.addSubnet(address, Number(bits), family)
  return list.check(host, family)
}

/** The route to a URL. Loads undici and https-proxy-agent only where there is a proxy. */
export async function routeTo(url: URL, env: Environment): Promise<Route> {
  const proxy = proxyFor(url, env)
  if (!proxy) return { proxy, fetch: globalThis.fetch, agent: undefined }
  const [{ ProxyAgent, fetch }, { HttpsProxyAgent }] = await Promise.all([import('undici'), import('https-proxy-agent')])
  // No CONNECT for http: requests, since many proxies allow CONNECT only to port 443. WebSockets need CONNECT in any case.
  const dispatcher = new ProxyAgent({ uri: proxy.href, proxyTunnel: false })
  const through = (input: unknown, init: object = {}) => fetch(input as string | URL, { ...init, dispatcher }) // as: the client and the checks pass URLs and strings
  return { proxy, fetch: through as unknown as typeof globalThis.fetch, agent: new HttpsProxyAgent(proxy) } // as: the same function under undici's own types
}
