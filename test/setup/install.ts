import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { type BrowserName, startableBrowser } from './browsers.ts'
import type { Peer } from './peers.ts'
import { findProxy, knownProxies, type ProxyName } from './proxies.ts'
import { findRedis } from './redis.ts'
import { findRuntime, type RuntimeName, runtimeFolder, runtimeVersions } from './runtimes.ts'
import { findToolchain } from './toolchains.ts'
import { findWebKit, isWebKitChosen } from './webkit.ts'

/** Runs a command with its output shown and no questions asked. Returns whether it succeeded. */
export function succeeds(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): boolean {
  console.log(`\n$ ${[command, ...args].join(' ')}`)
  const { status } = spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, ...env } })
  return status === 0
}

const exists = (command: string): boolean => spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0

/** Runs a command as root, if that needs no password. */
function asRoot(command: string, args: readonly string[]): boolean {
  if (process.getuid?.() === 0) return succeeds(command, args, { DEBIAN_FRONTEND: 'noninteractive' })
  return spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0 && succeeds('sudo', ['-n', 'DEBIAN_FRONTEND=noninteractive', command, ...args])
}

/** The names of the package in the distributions, the most common first. */
const packages: Record<BrowserName, readonly string[]> = { chromium: ['chromium', 'chromium-browser'], firefox: ['firefox-esr', 'firefox'] }

function installPackage(name: string): boolean {
  if (exists('apt-get')) return asRoot('apt-get', ['install', '-y', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=120', name])
  if (exists('dnf')) return asRoot('dnf', ['install', '-y', name])
  if (exists('zypper')) return asRoot('zypper', ['--non-interactive', 'install', name])
  if (exists('pacman')) return asRoot('pacman', ['-S', '--noconfirm', name])
  if (exists('apk')) return asRoot('apk', ['add', name])
  return false
}

/** Installs the browser: Playwright's own build, or the system's package. Resolves with the path of one that starts, or `undefined`. */
export async function installBrowser(name: BrowserName): Promise<string | undefined> {
  if (succeeds('playwright', ['install', name])) {
    const path = await startableBrowser(name)
    if (path) return path
    // A build that doesn't start lacks system libraries. Playwright can install those only with apt-get.
    if (exists('apt-get') && asRoot('apt-get', ['update']) && asRoot(process.execPath, [playwrightCli, 'install-deps', name])) {
      const repaired = await startableBrowser(name)
      if (repaired) return repaired
    }
  }
  if (exists('apt-get')) asRoot('apt-get', ['update'])
  for (const each of packages[name]) {
    if (!installPackage(each)) continue
    const path = await startableBrowser(name)
    if (path) return path
  }
  return undefined
}

/** Installs what WebKit needs, from Debian's or Ubuntu's packages. Other distributions rarely have MiniBrowser. */
export function installWebKit(): void {
  if (isWebKitChosen() || process.platform !== 'linux' || !exists('apt-get')) return
  asRoot('apt-get', ['update'])
  for (const name of ['webkit2gtk-driver', 'xvfb']) if (!findWebKit()) installPackage(name)
}

/** Debian's packages run this before they start a service (invoke-rc.d(8)). */
const SERVICE_POLICY = '/usr/sbin/policy-rc.d'

/** Keeps packages from starting their services, which would listen on ports such as 80. */
function withoutServices(install: () => void): void {
  const isDebian = exists('apt-get')
  const hasPolicy = existsSync(SERVICE_POLICY)
  if (isDebian) asRoot('apt-get', ['update'])
  if (isDebian && !hasPolicy) asRoot('sh', ['-c', `printf '#!/bin/sh\\nexit 101\\n' > ${SERVICE_POLICY} && chmod 755 ${SERVICE_POLICY}`])
  try {
    install()
  } finally {
    if (isDebian && !hasPolicy) asRoot('rm', ['-f', SERVICE_POLICY])
  }
}

/** Installs the missing proxies from the system's packages. Their services are neither started nor enabled. */
export function installProxies(names: readonly ProxyName[]): void {
  const missing = names.filter((name) => process.env[knownProxies[name].variable] === undefined && !findProxy(name))
  if (missing.length === 0) return
  withoutServices(() => {
    for (const name of missing) {
      const { packages: candidates, service } = knownProxies[name]
      for (const each of candidates) if (!findProxy(name)) installPackage(each)
      if (service && findProxy(name) && existsSync('/run/systemd/system')) asRoot('systemctl', ['disable', service])
    }
  })
}

/** Installs the missing third-party servers, from npm's, Debian's or Ubuntu's packages. */
export function installPeers(peers: readonly Peer[]): void {
  for (const { npm, find } of peers)
    if (npm && !find()) succeeds('npm', ['install', '--prefix', npm.folder, '--no-save', '--no-audit', '--no-fund', '--ignore-scripts', ...npm.packages])
  const missing = peers.filter((peer) => peer.packages && !peer.find())
  if (missing.length === 0 || !exists('apt-get')) return
  withoutServices(() => {
    for (const { packages: wanted = [] } of missing) for (const each of wanted) installPackage(each)
  })
}

/** Installs Redis from the system's packages. */
export function installRedis(): void {
  if (process.env.REDIS_SERVER_PATH !== undefined) return
  if (exists('apt-get')) asRoot('apt-get', ['update'])
  for (const name of exists('apt-get') ? ['redis-tools'] : ['redis', 'valkey']) if (!findRedis()) installPackage(name)
}

/** Installs a runtime from npm, for the tests only. */
export function installRuntime(name: RuntimeName): void {
  if (process.env[`${name.toUpperCase()}_PATH`] !== undefined || findRuntime(name)) return
  succeeds('npm', ['install', '--prefix', runtimeFolder(name), '--no-save', '--no-audit', '--no-fund', `${name}@${runtimeVersions[name]}`])
}

/** Installs Go from the system's packages. */
export function installGo(): void {
  if (process.env.GO_PATH !== undefined) return
  if (exists('apt-get')) asRoot('apt-get', ['update'])
  if (!findToolchain('go')) installPackage('golang-go')
}

const playwrightCli = new URL('../../node_modules/playwright/cli.js', import.meta.url).pathname
