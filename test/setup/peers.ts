/** Other people's servers, which the backends are tried against. */

import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { findProxy } from './proxies.ts'
import { findToolchain } from './toolchains.ts'

export interface Peer {
  name: string
  /** Of Debian and Ubuntu. */
  packages: readonly string[]
  /** Where it is; `undefined` where there is none. */
  find(): string | undefined
}

/** The nginx module that Debian's package has. */
export const NCHAN_MODULE = '/usr/lib/nginx/modules/ngx_nchan_module.so'

const hasCelery = (python: string): boolean => spawnSync(python, ['-c', 'import celery, django, redis'], { stdio: 'ignore' }).status === 0

/** The nginx that loads Nchan. */
export const nchan: Peer = {
  name: 'Nchan',
  packages: ['libnginx-mod-nchan'],
  find: () => (existsSync(NCHAN_MODULE) ? findProxy('nginx') : undefined)
}

/** The Python that has Celery, Django and their Redis: that of the system's packages, where another one comes first. */
export const celery: Peer = {
  name: 'Celery with Django',
  packages: ['python3-celery', 'python3-django', 'python3-redis'],
  find() {
    const python = findToolchain('python')
    return python === undefined ? undefined : [python, '/usr/bin/python3'].find(hasCelery)
  }
}
