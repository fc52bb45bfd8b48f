/** Third-party servers to test the backends with. */

import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { findProxy } from './proxies.ts'
import { findToolchain } from './toolchains.ts'

export interface Peer {
  name: string
  /** The names of the packages in Debian and Ubuntu. */
  packages: readonly string[]
  /** The path of its program; `undefined` where there is none. */
  find(): string | undefined
}

/** The nginx module, where Debian's package installs it. */
export const NCHAN_MODULE = '/usr/lib/nginx/modules/ngx_nchan_module.so'

const hasCelery = (python: string): boolean => spawnSync(python, ['-c', 'import celery, django, redis'], { stdio: 'ignore' }).status === 0

/** An nginx that can load Nchan. */
export const nchan: Peer = {
  name: 'Nchan',
  packages: ['libnginx-mod-nchan'],
  find: () => (existsSync(NCHAN_MODULE) ? findProxy('nginx') : undefined)
}

/** A Python that has Celery, Django and the Redis client: the first in PATH, else that of the system. */
export const celery: Peer = {
  name: 'Celery with Django',
  packages: ['python3-celery', 'python3-django', 'python3-redis'],
  find() {
    const python = findToolchain('python')
    return python === undefined ? undefined : [python, '/usr/bin/python3'].find(hasCelery)
  }
}
