/** Sends one GET as a browser does, and records its answer as it arrives: with `node:http`, since `fetch` hides the version, and unpacks the body. */

import http, { type IncomingMessage, type RequestOptions } from 'node:http'
import https from 'node:https'
import type { Readable } from 'node:stream'
import { constants, createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'
import { networkReason } from '../network.ts'
import type { Route } from '../proxy.ts'
import type { Observation } from './observation.ts'

export interface Place {
  base: URL
  headers: Readonly<Record<string, string>>
  token: string | undefined
  route: Route
}

/** How to send it: directly, to an http: proxy, or through a tunnel. */
function requestOptions(url: URL, { route: { proxy, agent } }: Place, headers: Record<string, string>): [typeof http | typeof https, RequestOptions] {
  if (!proxy || url.protocol === 'https:')
    return [
      url.protocol === 'https:' ? https : http,
      { host: url.hostname.replace(/^\[|\]$/g, ''), port: url.port, path: url.pathname + url.search, headers, ...(proxy && { agent }) }
    ]
  const login = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`
  const authorization = proxy.username ? { 'proxy-authorization': `Basic ${Buffer.from(login).toString('base64')}` } : {}
  const options = {
    host: proxy.hostname,
    port: proxy.port || (proxy.protocol === 'https:' ? 443 : 80),
    path: url.href,
    headers: { ...headers, ...authorization }
  }
  return [proxy.protocol === 'https:' ? https : http, options]
}

const flushed = { flush: constants.Z_SYNC_FLUSH, finishFlush: constants.Z_SYNC_FLUSH }

/** The body without its content encoding, each piece as soon as it is there. */
function unpacked(response: IncomingMessage): Readable {
  switch (response.headers['content-encoding']) {
    case 'gzip':
      return response.pipe(createGunzip(flushed))
    case 'deflate':
      return response.pipe(createInflate(flushed))
    case 'br':
      return response.pipe(createBrotliDecompress({ flush: constants.BROTLI_OPERATION_FLUSH, finishFlush: constants.BROTLI_OPERATION_FLUSH }))
    default:
      return response
  }
}

/** Requests `url` and records head, bytes and end. `onText` is given the body as it arrives. Resolves at the end, or once the signal has aborted. */
export async function record(
  observation: Observation,
  url: URL,
  accept: string,
  place: Place,
  signal: AbortSignal,
  onText: (text: string) => void
): Promise<void> {
  const { token } = place
  const headers = {
    host: url.host,
    'accept-encoding': 'gzip, deflate, br',
    ...place.headers,
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
    accept
  }
  const [client, options] = requestOptions(url, place, headers)
  const end = (what: string): void => {
    if (!signal.aborted) observation.end ??= { what, at: performance.now() }
  }
  // A connection of its own: one that is kept from an earlier request may be closed by the proxy at this moment.
  const agent = new client.Agent({ keepAlive: true })
  await new Promise<void>((resolve) => {
    const request = client.request({ agent, ...options, signal }, (response) => {
      const { statusCode: status = 0, httpVersion, headers: came } = response
      const plain = Object.fromEntries(Object.entries(came).map(([name, value]) => [name, String(value)]))
      observation.head = { status, httpVersion, headers: plain, at: performance.now() }
      response.on('data', () => observation.bytesAt.push(performance.now()))
      const body = unpacked(response).setEncoding('utf8')
      body.on('data', onText)
      body.on('end', () => resolve(end(response.complete ? 'the body ended' : 'the connection broke')))
      const broke = (): void => resolve(end('the connection broke'))
      body.on('error', broke)
      response.on('error', broke)
      // A whole answer ends with its body, which may still be unpacked.
      response.on('close', () => response.complete || broke())
    })
    request.on('error', (error) => resolve(end(networkReason(error))))
    request.end()
  })
  agent.destroy()
}
