/** Proxies by environment: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY, as curl reads them; lower case first. */

import type { Agent } from 'node:http'
import { BlockList, isIP } from 'node:net'
import { UsageError } from './exit-codes.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** How a URL is asked. */
export interface Route {
  /** `undefined`: without one. */
  proxy: URL | undefined
  fetch: typeof globalThis.fetch
  /** For a WebSocket. */
  agent: Agent | undefined
}

/**
 * The proxy for a URL; `undefined` where there is none to be used.
 * @throws UsageError for one that is no http: or https: URL
 */
export function proxyFor({ protocol, hostname, port }: URL, env: Environment): URL | undefined {
  const read = (name: string): string => env[name] || env[name.toUpperCase()] || ''
  const host = hostname.replace(/^\[|\]$/g, '')
  const named = read(protocol.replace(':', '_proxy')) || read('all_proxy')
  if (!named || isExcepted(host, port || (protocol === 'https:' ? '443' : '80'), read('no_proxy'))) return undefined
  const text = named.includes('://') ? named : `http://${named}`
  const proxy = URL.canParse(text) ? new URL(text) : undefined
  if (!proxy || !/^https?:$/.test(proxy.protocol))
    throw new UsageError(`the environment's proxy: expected an http: or https: URL, got ${proxy?.protocol ?? 'none'}`)
  return proxy
}

/** NO_PROXY: `*`, hosts with or without a port, domains (`example.com` is also `.example.com` and `*.example.com`), addresses, networks as `10.0.0.0/8`. */
function isExcepted(host: string, port: string, list: string): boolean {
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

/** What it needs is loaded only where there is a proxy. */
export async function routeTo(url: URL, env: Environment): Promise<Route> {
  const proxy = proxyFor(url, env)
  if (!proxy) return { proxy, fetch: globalThis.fetch, agent: undefined }
  const [{ ProxyAgent, fetch }, { HttpsProxyAgent }] = await Promise.all([import('undici'), import('https-proxy-agent')])
  // A request for http: is handed to the proxy as it is, since many let only port 443 through by CONNECT; a WebSocket gets through by nothing else.
  const dispatcher = new ProxyAgent({ uri: proxy.href, proxyTunnel: false })
  const through = (input: unknown, init: object = {}) => fetch(input as string | URL, { ...init, dispatcher }) // as: what the client and the checks ask
  return { proxy, fetch: through as unknown as typeof globalThis.fetch, agent: new HttpsProxyAgent(proxy) } // as: the same function, under undici's own types
}
