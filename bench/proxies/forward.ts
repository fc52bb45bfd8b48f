/** Forward proxies with the configuration of Debian's packages, except for the port. */

import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Place, Setup } from './setups.ts'

const forward = (proxy: Setup['proxy'], label: string, configure: (place: Place) => string): Setup => ({ proxy, label, kind: 'forward', configure })

const squid = (label: string, tunnels: string): Setup =>
  forward(
    'squid',
    label,
    ({ port, folder }) => `
http_port 127.0.0.1:${port}
acl SSL_ports port 443
acl Safe_ports port 80 443 1025-65535
http_access deny !Safe_ports
${tunnels}
http_access allow localhost manager
http_access deny manager
http_access allow localhost
http_access deny all
coredump_dir ${folder}
refresh_pattern -i (/cgi-bin/|\\?) 0 0% 0
refresh_pattern . 0 20% 4320
pid_filename none
cache_log /dev/null
access_log none
netdb_filename none
shutdown_lifetime 0 seconds
`
  )

/** The package's own filters and actions. They make it hold back each text until its end, to search it. */
const privoxyFolder = '/etc/privoxy'
const privoxyFiles = [
  ['actionsfile', 'match-all.action'],
  ['actionsfile', 'default.action'],
  ['filterfile', 'default.filter']
] as const

const privoxy = (label: string, actions: string): Setup =>
  forward('privoxy', label, ({ port, folder }) => {
    writeFileSync(join(folder, 'own.action'), actions)
    const present = privoxyFiles.filter(([, name]) => existsSync(join(privoxyFolder, name)))
    return `
confdir ${privoxyFolder}
logdir ${folder}
listen-address 127.0.0.1:${port}
${present.map(([kind, name]) => `${kind} ${name}`).join('\n')}
actionsfile ${folder}/own.action
toggle 1
buffer-limit 4096
keep-alive-timeout 5
tolerate-pipelining 1
socket-timeout 300
`
  })

const tinyproxy = (label: string, further: string): Setup =>
  forward(
    'tinyproxy',
    label,
    ({ port, folder }) => `
Port ${port}
Listen 127.0.0.1
Timeout 600
LogFile "${folder}/log"
LogLevel Error
PidFile "${folder}/pid"
MaxClients 100
Allow 127.0.0.1
ViaProxyName "tinyproxy"
${further}
`
  )

export const forwardSetups: readonly Setup[] = [
  squid('', 'http_access deny CONNECT !SSL_ports'),
  squid('tunnels to any port', ''),
  privoxy('', ''),
  privoxy('tunnels to 443 only', '{+limit-connect{443}}\n/\n'),
  tinyproxy('', ''),
  tinyproxy('tunnels to 443 only', 'ConnectPort 443')
]
