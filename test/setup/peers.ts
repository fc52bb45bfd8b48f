/** Third-party servers to test the backends with. */

import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { findProxy } from './proxies.ts'
import { findToolchain } from './toolchains.ts'

export interface Peer {
  name: string
  /** The names of the packages in Debian and Ubuntu. */
  packages?: readonly string[]
  /** The packages of npm, with versions. They have a folder of their own, since npm removes packages that it was not asked for. */
  npm?: { packages: readonly string[]; folder: string }
  /** The path of its program, or of its folder; `undefined` where there is none. */
  find(): string | undefined
}

/** The nginx module, where Debian's package installs it. */
export const NCHAN_MODULE = '/usr/lib/nginx/modules/ngx_nchan_module.so'

const langGraphFolder = join(import.meta.dirname, '../../node_modules/.cache/jobtail/langgraph')

/** LangGraph's server on JavaScript. It has 144 MB, so it is no devDependency. `find` returns the folder that has it. */
export const langGraph: Peer = {
  name: 'LangGraph',
  npm: {
    folder: langGraphFolder,
    packages: [
      '@langchain/langgraph-api@1.5.1',
      '@langchain/langgraph@1.7.3',
      '@langchain/core@1.4.0',
      '@langchain/langgraph-checkpoint@1.2.2',
      '@langchain/langgraph-sdk@1.15.0',
      'typescript@5.9.3'
    ]
  },
  find: () => (existsSync(join(langGraphFolder, 'node_modules/@langchain/langgraph-api')) ? langGraphFolder : undefined)
}

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
