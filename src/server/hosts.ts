/** Finds the host by which the server was reached, and checks it against `hosts` and against a page's origin. */

import { forbidden } from './http-error.ts'
import type { Settings } from './server-options.ts'

type Hosts = Pick<Settings, 'hosts' | 'trustForwardedHost'>

interface Host {
  /** In lower case, without a trailing dot. */
  name: string
  /** `''` for 80 and 443: a server behind a proxy that terminates TLS doesn't know which of the two the page used. */
  port: string
}

/** The server's own host, as the client knows it. */
export interface OwnHost {
  /** As it was sent. */
  text: string
  /** The name of the header that it was sent in. */
  header: string
}

/** The host that the client asked for. From headers, since frameworks such as Next.js put a host of their own into the request's URL. */
export function ownHost({ headers, url }: Request, { trustForwardedHost }: Hosts): OwnHost {
  if (trustForwardedHost) {
    const forwarded = hostOfForwarded(headers.get('forwarded') ?? '')
    if (forwarded !== undefined) return { text: forwarded, header: 'Forwarded' }
    const [first = ''] = (headers.get('x-forwarded-host') ?? '').split(',')
    if (first.trim() !== '') return { text: first.trim(), header: 'X-Forwarded-Host' }
  }
  return { text: headers.get('host') ?? new URL(url).host, header: 'Host' }
}

/** The host in the first element of `Forwarded` (RFC 7239 §4): that of the proxy that the client spoke to. */
function hostOfForwarded(header: string): string | undefined {
  const [first = ''] = header.split(',')
  for (const pair of first.split(';')) {
    const [name = '', value = ''] = pair.split('=')
    if (name.trim().toLowerCase() === 'host') return value.trim().replace(/^"(.*)"$/, '$1') || undefined
  }
  return undefined
}

/** `undefined` for a malformed host. */
function parseHost(text: string): Host | undefined {
  const url = /[/?#\\@\s]/.test(text) ? undefined : URL.parse(`http://${text}`)
  if (!url?.hostname) return undefined
  return { name: url.hostname.replace(/\.$/, ''), port: url.port === '443' ? '' : url.port }
}

/** Whether a page's `Origin` has the same host as the server. The scheme isn't compared: behind a proxy that terminates TLS the server doesn't know its own. */
export function isOriginOf(origin: string, { text }: OwnHost): boolean {
  const page = /^https?:\/\//i.test(origin) ? parseHost(origin.replace(/^https?:\/\//i, '')) : undefined
  const own = parseHost(text)
  return page !== undefined && own !== undefined && page.name === own.name && page.port === own.port
}

/** DNS rebinding needs a name whose address the attacker controls. Localhost and IP addresses are no such names, so that they need not be listed. */
const isLocal = (name: string): boolean => name === 'localhost' || name.endsWith('.localhost') || /^(\[.*\]|[\d.]+)$/.test(name)

function isListed(name: string, hosts: readonly string[]): boolean {
  return hosts
    .map((host) => host.toLowerCase().replace(/\.$/, ''))
    .some((host) => {
      if (host.startsWith('*.')) return name.endsWith(host.slice(1))
      return host.startsWith('.') ? name === host.slice(1) || name.endsWith(host) : name === host
    })
}

/** Throws an `HttpError` 403 for a request to a host that `hosts` doesn't list. */
export function checkHost(request: Request, settings: Hosts): void {
  const { hosts } = settings
  if (!hosts) return
  const { text, header } = ownHost(request, settings)
  const name = parseHost(text)?.name
  if (name !== undefined && (isLocal(name) || isListed(name, hosts))) return
  throw forbidden(`${header}: expected one of ${[...hosts, 'localhost', 'an IP address'].join(', ')} (hosts), got ${JSON.stringify(text.slice(0, 255))}`)
}
