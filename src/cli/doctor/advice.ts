/** What each finding means for whoever follows a job, and what an operator has to change. Pure. */

import type { Software } from './between.ts'
import type { FindingId } from './judge.ts'

interface Advice {
  means: string
  /** What has to be so, whichever program stands in between. */
  change: string
  directives: Readonly<Partial<Record<Software, string>>>
}

export const ADVICE: Readonly<Record<FindingId, Advice>> = {
  upgrade: {
    means: 'WebSockets do not get through.',
    change:
      'pass the headers Upgrade and Connection on, by HTTP/1.1; a forward proxy has to allow CONNECT to this port. (A server without WebSockets looks the same.)',
    directives: {
      nginx: 'proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;',
      apache: 'ProxyPass … upgrade=websocket (2.4.47 or newer)',
      haproxy: 'nothing is needed; see that no rule removes Upgrade'
    }
  },
  host: {
    means: 'Pages cannot open WebSockets, nor start or cancel jobs: the server takes them for pages of another origin.',
    change: 'pass the header Host on as it came',
    directives: { nginx: 'proxy_set_header Host $http_host;', apache: 'ProxyPreserveHost On' }
  },
  unreachable: {
    means: 'Requests of this kind get no answer.',
    change: 'let the request pass; a forward proxy has to allow CONNECT to this port for WebSockets',
    directives: {}
  },
  redirected: {
    means: 'Somebody in between wants a login, or has moved the resource.',
    change: 'answer requests below this URL by the server itself, without a redirect; where a login is needed, answer 401',
    directives: {}
  },
  refused: {
    means: 'Requests of this kind are answered by something else than the server.',
    change: 'let GET requests with this Accept header pass',
    directives: {}
  },
  'held-back': {
    means: 'Events arrive late, or all at once at the end.',
    change: 'pass each byte of an answer on as it comes; heed X-Accel-Buffering: no and Incremental: ?1',
    directives: {
      nginx: 'proxy_buffering off; and no proxy_ignore_headers X-Accel-Buffering, and no gzip for these types',
      apache: 'ProxyPass … flushpackets=on; and no mod_deflate for these types',
      haproxy: 'option http-no-delay, and no compression for these types',
      caddy: 'reverse_proxy { flush_interval -1 }, and no encode for these types'
    }
  },
  cut: {
    means: 'The connection is ended while the job goes on, and is made again each time.',
    change: 'wait longer than 55 s for the next byte of an answer, or have the server send heartbeats more often (heartbeatMs)',
    directives: {
      nginx: 'proxy_read_timeout 60s;',
      apache: 'ProxyTimeout 60',
      haproxy: 'timeout client 60s, timeout server 60s, timeout tunnel 1h',
      caddy: 'no read_timeout or write_timeout below 60s'
    }
  },
  compressed: {
    means: 'A stream is compressed on the way, though the server says no-transform. Compressors may hold bytes back.',
    change: 'compress neither text/event-stream nor application/x-ndjson',
    directives: {
      nginx: 'take text/event-stream and application/x-ndjson out of gzip_types',
      apache: 'SetEnvIf Request_URI "/events$" no-gzip=1',
      haproxy: 'compression type without these types',
      caddy: 'encode with a matcher that leaves /events out'
    }
  },
  cached: {
    means: 'Answers come out of a cache. Old ones are noticed and asked for again, which costs a request each time.',
    change: 'cache nothing below this URL: each answer says Cache-Control: private, no-store',
    directives: { nginx: 'proxy_cache off;', apache: 'CacheDisable' }
  },
  'http-version': {
    means: 'Answers come by HTTP/1.0, whose connections carry one request each.',
    change: 'speak HTTP/1.1 or newer',
    directives: { nginx: 'proxy_http_version 1.1;' }
  },
  headers: {
    means: 'Caches are no longer told to keep out.',
    change: 'leave the header Cache-Control as the server has sent it',
    directives: {}
  }
}

const NAMES: Readonly<Record<Software, string>> = { nginx: 'nginx', haproxy: 'HAProxy', apache: 'Apache', caddy: 'Caddy' }

/** The directives, of the programs that were recognised; where none was, of all. */
export function directivesFor(id: FindingId, software: readonly Software[]): string[] {
  const all = Object.entries(ADVICE[id].directives) as [Software, string][] // as: the record's keys
  const own = all.filter(([name]) => software.includes(name))
  return (own.length > 0 ? own : all).map(([name, text]) => `${NAMES[name]}: ${text}`)
}
