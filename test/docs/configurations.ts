/** Configurations of proxies as documents show them, put to the proxy's own check. What is part of a file becomes a whole one. */

import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { selfSigned } from '../server/adapters/certificate.ts'
import { NCHAN_MODULE, nchan } from '../setup/peers.ts'
import { findProxy, type ProxyName } from '../setup/proxies.ts'

interface Checker {
  /** A whole file of what is shown. `certificate` is the path of a file with a certificate and its key. */
  whole(text: string, certificate: string): string
  command(file: string, folder: string): string[]
}

/** What goes into `http` in nginx.conf rather than into a `server` in there. */
const HTTP_LEVEL = /^(?:map|upstream|server|geo|split_clients|limit_conn_zone|limit_req_zone|log_format|proxy_cache_path)\b/

/** Whether nginx needs a module that not every machine has. */
const usesNchan = (text: string): boolean => /^\s*nchan_/m.test(text)

export const checkers: Readonly<Partial<Record<ProxyName, Checker>>> = {
  nginx: {
    whole(text, certificate) {
      const local = text.replace(/(\bssl_certificate(?:_key)?\s+)[^;]+/g, `$1${certificate}`).replace(/(\blisten\s+(?:\S+:)?)(80|443)\b/g, '$180$2')
      if (/^\s*http\s*\{/m.test(local)) return /^\s*events\s*\{/m.test(local) ? local : `events {}\n${local}`
      const statements = nginxStatements(local)
      const [http, server] = [true, false].map((wanted) => statements.filter((each) => HTTP_LEVEL.test(each) === wanted).join('\n'))
      const modules = usesNchan(text) ? `load_module ${NCHAN_MODULE};\n` : ''
      return `${modules}events {}\nhttp {\n${http}\n${server ? `server {\nlisten 127.0.0.1:8080;\n${server}\n}\n` : ''}}\n`
    },
    command: (file, folder) => ['-t', '-q', '-p', folder, '-e', join(folder, 'error.log'), '-c', file, '-g', `pid ${join(folder, 'nginx.pid')};`]
  },
  haproxy: {
    whole(text, certificate) {
      // Without somewhere to listen there is nothing to start.
      const frontend = /^(?:frontend|listen)\b/m.test(text) ? '' : 'frontend front\n  mode http\n  timeout client 60s\n  bind 127.0.0.1:8080\n'
      return `${text.replace(/\bcrt \S+/g, `crt ${certificate}`)}\n${frontend}`
    },
    command: (file) => ['-c', '-f', file]
  },
  caddy: {
    whole: (text) => `${text}\n`,
    command: (file) => ['validate', '--adapter', 'caddyfile', '--config', file]
  },
  apache: {
    whole(text, certificate) {
      const modules = ['mpm_event', 'authz_core', 'proxy', 'proxy_http', 'proxy_wstunnel', 'headers', 'rewrite', 'ssl', 'socache_shmcb']
      const loaded = modules.map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`)
      return [...loaded, 'Listen 127.0.0.1:8080', 'ServerName localhost', text.replace(/(SSLCertificate(?:Key)?File\s+)\S+/g, `$1${certificate}`), ''].join(
        '\n'
      )
    },
    command: (file, folder) => [
      '-t',
      '-f',
      file,
      '-C',
      `ServerRoot ${folder}`,
      '-C',
      `DefaultRuntimeDir ${folder}`,
      '-C',
      `ErrorLog ${join(folder, 'error.log')}`
    ]
  }
}

/** Whether the program is there to check with. */
export const canCheck = (name: string): boolean => name in checkers && findProxy(name as ProxyName) !== undefined // as: it is one of the checkers

/** What the program says against it; `undefined` where nothing. */
export async function complaintOf(name: string, text: string): Promise<string | undefined> {
  const proxy = name as ProxyName // as: a name that is none has no checker
  const checker = checkers[proxy]
  const path = checker && findProxy(proxy)
  if (!checker) return `nothing checks "${name}": ${Object.keys(checkers).join(', ')} do`
  if (!path || (usesNchan(text) && !nchan.find())) return undefined
  const folder = await mkdtemp(join(tmpdir(), 'jobtail-docs-'))
  try {
    const [file, certificate] = [join(folder, 'configuration'), join(folder, 'certificate.pem')]
    const { cert, key } = selfSigned()
    await writeFile(certificate, cert + key)
    await writeFile(file, checker.whole(text, certificate))
    await promisify(execFile)(path, checker.command(file, folder), { timeout: 20_000, env: { ...process.env, HOME: folder, XDG_DATA_HOME: folder } })
    return undefined
  } catch (error) {
    const { message, stderr = '' } = error as Error & { stderr?: string } // as: what execFile rejects with has it
    return stderr.trim().replace(/^\{"level":"info".*\n/gm, '') || message
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** The statements at the top, each with its block. */
function nginxStatements(text: string): string[] {
  const statements: string[] = []
  let depth = 0
  let current = ''
  for (const [token] of text.matchAll(/#[^\n]*|'[^']*'|"[^"]*"|[\s\S]/g)) {
    if (token.startsWith('#')) continue
    current += token
    if (token === '{') depth += 1
    if (token === '}') depth -= 1
    if (depth === 0 && (token === ';' || token === '}')) {
      statements.push(current.trim())
      current = ''
    }
  }
  return current.trim() ? [...statements, current.trim()] : statements
}
