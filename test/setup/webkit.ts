import { globSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { isExecutable } from './browsers.ts'

/** The executables that run WebKitGTK without a screen. */
export interface WebKit {
  driver: string
  browser: string
  /** An X server without a screen. */
  display: string
}

/** The variable with the path of WebKitWebDriver. If it is empty, none is used. */
const VARIABLE = 'WEBKIT_DRIVER_PATH'

/** Where distributions put MiniBrowser: Debian, Fedora, openSUSE and Arch. */
const browserPaths = ['/usr/lib/*/webkit{2gtk,gtk}-*/MiniBrowser', '/usr/libexec/webkit{2gtk,gtk}-*/MiniBrowser', '/usr/lib/webkit{2gtk,gtk}-*/MiniBrowser']

function command(name: string): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter)
  return folders.map((folder) => join(folder, name)).find(isExecutable)
}

/** Whether the variable is set. */
export const isWebKitChosen = (): boolean => process.env[VARIABLE] !== undefined

export function findWebKit(): WebKit | undefined {
  const asked = process.env[VARIABLE]
  if (asked === '' || process.platform !== 'linux') return undefined
  const driver = asked ?? command('WebKitWebDriver')
  const browser = globSync(browserPaths).find(isExecutable)
  const display = command('Xvfb')
  return driver && browser && display ? { driver, browser, display } : undefined
}

/** Makes this process and its children do without WebKit. */
export function useNoWebKit(): void {
  process.env[VARIABLE] = ''
}
