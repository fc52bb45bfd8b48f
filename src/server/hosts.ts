/** By which names the server is reached, and whether a page's origin is one of them. */

import { forbidden } from './http-error.ts'
import type { Settings } from './types.ts'

type Hosts = Pick<Settings, 'hosts' | 'trustForwardedHost'>

interface Host {
  /** In lower case, without a dot at its end. */
  name: string
  /** `''` for those of http and https: which of the two the page was loaded by, a server behind a proxy that ends TLS doesn't know. */
  port: string
}

export interface OwnHost {
  /** As it came. */
  text: string
  /** The header that it came in. */
  header: string
}

/** The host that was asked for. Next and its like have one of their own in the request's URL, and the right one in `Host`. */
export function ownHost({ headers, url }: Request, { trustForwardedHost }: Hosts): OwnHost {
  if (trustForwardedHost) {
    const forwarded = hostOfForwarded(headers.get('forwarded') ?? '')
    if (forwarded !== undefined) return { text: forwarded, header: 'Forwarded' }
    const [first = ''] = (headers.get('x-forwarded-host') ?? '').split(',')
    if (first.trim() !== '') return { text: first.trim(), header: 'X-Forwarded-Host' }
  }
  return { text: headers.get('host') ?? new URL(url).host, header: 'Host' }
}

/** That of the first proxy (RFC 7239 §4): the one that the page has spoken to. */
function hostOfForwarded(header: string): string | undefined {
  const [first = ''] = header.split(',')
  for (const pair of first.split(';')) {
    const [name = '', value = ''] = pair.split('=')
    if (name.trim().toLowerCase() === 'host') return value.trim().replace(/^"(.*)"$/, '$1') || undefined
  }
  return undefined
}

/** `undefined` for what is none. */
function parseHost(text: string): Host | undefined {
  const url = /[/?#\\@\s]/.test(text) ? undefined : URL.parse(`http://${text}`)
  if (!url?.hostname) return undefined
  return { name: url.hostname.replace(/\.$/, ''), port: url.port === '443' ? '' : url.port }
}

/** Whether an origin, as a browser sends it, is that of this host. */
export function isOriginOf(origin: string, { text }: OwnHost): boolean {
  const page = /^https?:\/\//i.test(origin) ? parseHost(origin.replace(/^https?:\/\//i, '')) : undefined
  const own = parseHost(text)
  return page !== undefined && own !== undefined && page.name === own.name && page.port === own.port
}

/** Whoever has a page ask by an address of its choice (DNS rebinding) has a name for it: localhost and IP addresses need no list. */
const isLocal = (name: string): boolean => name === 'localhost' || name.endsWith('.localhost') || /^(\[.*\]|[\d.]+)$/.test(name)

function isListed(name: string, hosts: readonly string[]): boolean {
  return hosts
    .map((host) => host.toLowerCase().replace(/\.$/, ''))
    .some((host) => {
      if (host.startsWith('*.')) return name.endsWith(host.slice(1))
      return host.startsWith('.') ? name === host.slice(1) || name.endsWith(host) : name === host
    })
}

/** Refuses what came by a name that is none of `hosts`. */
export function checkHost(request: Request, settings: Hosts): void {
  const { hosts } = settings
  if (!hosts) return
  const { text, header } = ownHost(request, settings)
  const name = parseHost(text)?.name
  if (name !== undefined && (isLocal(name) || isListed(name, hosts))) return
  throw forbidden(
    `${header}: expected ${[...hosts, 'localhost', 'an IP address'].join(', ')}, got ${JSON.stringify(text.slice(0, 255))}; \`hosts\` says which are allowed`
  )
}
