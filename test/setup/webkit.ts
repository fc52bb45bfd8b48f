import { globSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { isExecutable } from './browsers.ts'

/** The executables that it takes to run WebKitGTK without a screen. */
export interface WebKit {
  driver: string
  browser: string
  /** An X server without a screen. */
  display: string
}

/** Where whoever runs the tests may say which WebKitWebDriver to use; empty for none. */
const VARIABLE = 'WEBKIT_DRIVER_PATH'

/** Where distributions put what is not meant to be started by hand: Debian, Fedora, openSUSE and Arch. */
const browserPaths = ['/usr/lib/*/webkit{2gtk,gtk}-*/MiniBrowser', '/usr/libexec/webkit{2gtk,gtk}-*/MiniBrowser', '/usr/lib/webkit{2gtk,gtk}-*/MiniBrowser']

function command(name: string): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter)
  return folders.map((folder) => join(folder, name)).find(isExecutable)
}

/** Whoever runs the tests has said which one, or none. */
export const isWebKitChosen = (): boolean => process.env[VARIABLE] !== undefined

export function findWebKit(): WebKit | undefined {
  const asked = process.env[VARIABLE]
  if (asked === '' || process.platform !== 'linux') return undefined
  const driver = asked ?? command('WebKitWebDriver')
  const browser = globSync(browserPaths).find(isExecutable)
  const display = command('Xvfb')
  return driver && browser && display ? { driver, browser, display } : undefined
}

/** Settles for this process and those that it starts that WebKit is not to be used. */
export function useNoWebKit(): void {
  process.env[VARIABLE] = ''
}
