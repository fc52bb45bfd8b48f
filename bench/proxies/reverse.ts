/** Reverse proxies. */

import { existsSync } from 'node:fs'
import type { Place, Setup } from './setups.ts'

const reverse = (proxy: Setup['proxy'], label: string, configure: (place: Place) => string): Setup => ({ proxy, label, kind: 'reverse', configure })

const nginx = (label: string, location: string, top = ''): Setup =>
  reverse(
    'nginx',
    label,
    ({ port, upstream, folder }) => `
pid ${folder}/nginx.pid;
events {}
http {
  access_log off;
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder}/${name};`).join('\n  ')}
  ${top}
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://127.0.0.1:${upstream};
      ${location}
    }
  }
}
`
  )

/** From nginx.org/en/docs/http/websocket.html, which passes no Host header on. */
const UPGRADE_MAP = "map $http_upgrade $connection_upgrade { default upgrade; '' close; }"
const UPGRADE = 'proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;'

const apacheModules = ['/usr/lib/apache2/modules', '/usr/lib64/httpd/modules', '/usr/lib/httpd/modules']

const apache = (label: string, modules: readonly string[], further: (upstream: number) => string): Setup =>
  reverse('apache', label, ({ port, upstream, folder }) => {
    const from = apacheModules.find(existsSync) ?? ''
    const all = ['mpm_event', 'authz_core', 'proxy', 'proxy_http', ...modules]
    return `
ServerName localhost
DefaultRuntimeDir ${folder}
PidFile ${folder}/pid
ErrorLog ${folder}/error.log
${all.map((name) => `LoadModule ${name}_module ${from}/mod_${name}.so`).join('\n')}
${process.getuid?.() === 0 ? 'User #65534\nGroup #65534' : ''}
Listen 127.0.0.1:${port}
${further(upstream)}
ProxyPass / http://127.0.0.1:${upstream}/
ProxyPassReverse / http://127.0.0.1:${upstream}/
`
  })

const caddy = (label: string, further: string): Setup =>
  reverse(
    'caddy',
    label,
    ({ port, upstream }) => `
{
  admin off
  auto_https off
}
http://:${port} {
  bind 127.0.0.1
  ${further}
  reverse_proxy 127.0.0.1:${upstream}
}
`
  )

const haproxy = (label: string, timeouts: { idle: string }, further = ''): Setup =>
  reverse(
    'haproxy',
    label,
    ({ port, upstream }) => `
defaults
  mode http
  timeout connect 5000
  timeout client ${timeouts.idle}
  timeout server ${timeouts.idle}
frontend web
  bind 127.0.0.1:${port}
  ${further}
  default_backend app
backend app
  server app 127.0.0.1:${upstream}
`
  )

const varnish = (label: string, further: string): Setup =>
  reverse(
    'varnish',
    label,
    ({ upstream }) => `
vcl 4.1;
backend default {
  .host = "127.0.0.1";
  .port = "${upstream}";
}
${further}
`
  )

/** From varnish-cache.org/docs/trunk/users-guide/vcl-example-websockets.html. */
const PIPE = `
sub vcl_recv {
  if (req.http.upgrade ~ "(?i)websocket") { return (pipe); }
}
sub vcl_pipe {
  if (req.http.upgrade) { set bereq.http.upgrade = req.http.upgrade; set bereq.http.connection = req.http.connection; }
}
`

const lighttpd = (label: string, further: string): Setup =>
  reverse(
    'lighttpd',
    label,
    ({ port, upstream, folder }) => `
server.modules = ("mod_proxy")
server.bind = "127.0.0.1"
server.port = ${port}
server.document-root = "${folder}"
server.upload-dirs = ("${folder}")
proxy.server = ("" => (("host" => "127.0.0.1", "port" => ${upstream})))
${further}
`
  )

export const reverseSetups: readonly Setup[] = [
  nginx('', ''),
  nginx('gzip', '', 'gzip on; gzip_proxied any; gzip_types text/plain text/css text/event-stream application/json application/javascript;'),
  nginx('read timeout 2 s', 'proxy_read_timeout 2s;'),
  nginx('Upgrade map', UPGRADE, UPGRADE_MAP),
  nginx('Upgrade map and Host', `${UPGRADE} proxy_set_header Host $http_host;`, UPGRADE_MAP),
  nginx('ignores X-Accel-Buffering', 'proxy_ignore_headers X-Accel-Buffering;'),
  apache('', [], () => ''),
  apache(
    'mod_proxy_wstunnel',
    ['proxy_wstunnel', 'rewrite'],
    (upstream) => `RewriteEngine on
RewriteCond %{HTTP:Upgrade} websocket [NC]
RewriteCond %{HTTP:Connection} upgrade [NC]
RewriteRule ^/?(.*) "ws://127.0.0.1:${upstream}/$1" [P,L]`
  ),
  apache('mod_deflate', ['filter', 'deflate'], () => 'SetOutputFilter DEFLATE'),
  caddy('', ''),
  caddy('encode gzip', 'encode gzip'),
  haproxy('', { idle: '50000' }),
  haproxy('timeouts 2 s', { idle: '2s' }),
  haproxy('compression', { idle: '50000' }, 'compression algo gzip'),
  varnish('', ''),
  varnish('pipe for WebSocket', PIPE),
  lighttpd('', ''),
  lighttpd('upgrade', 'proxy.header = ("upgrade" => "enable")')
]
