import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { chromium, firefox, type LaunchOptions } from 'playwright'

export type BrowserName = 'chromium' | 'firefox'

interface Known {
  /** The variable with the path of the browser. If it is empty, none is used. */
  variable: string
  commands: readonly string[]
  paths: readonly string[]
  type: typeof chromium
}

const known: Record<BrowserName, Known> = {
  chromium: {
    variable: 'CHROMIUM_PATH',
    commands: ['chromium', 'google-chrome', 'google-chrome-stable', 'chrome', 'chromium-browser'],
    paths: [
      '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
      '/Applications/Chromium.app/Contents/MacOS/Chromium',
      'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe'
    ],
    type: chromium
  },
  firefox: {
    variable: 'FIREFOX_PATH',
    commands: ['firefox-esr', 'firefox'],
    paths: ['/Applications/Firefox.app/Contents/MacOS/firefox', 'C:\\Program Files\\Mozilla Firefox\\firefox.exe'],
    type: firefox
  }
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false // accessSync reports it only by throwing
  }
}

/** Every executable that may be this browser, in order of preference: that of the variable, installed ones, Playwright's own. */
export function browserCandidates(name: BrowserName): string[] {
  const { variable, commands, paths, type } = known[name]
  const asked = process.env[variable]
  if (asked !== undefined) return asked === '' ? [] : [asked]
  const folders = (process.env.PATH ?? '').split(delimiter)
  const installed = commands.flatMap((command) => folders.map((folder) => join(folder, command)))
  return [...installed, ...paths, type.executablePath()].filter(isExecutable)
}

export const findBrowser = (name: BrowserName): string | undefined => browserCandidates(name)[0]

/** Options to launch it without requests of its own, as root too. */
export function launchOptions(name: BrowserName, executablePath: string): LaunchOptions {
  if (name === 'chromium') {
    const quiet = ['--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']
    return { executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-quic', ...quiet] }
  }
  // Playwright controls its own build of Firefox by another protocol than Mozilla's releases.
  return executablePath === firefox.executablePath() ? { executablePath } : { executablePath, channel: 'moz-firefox' }
}

/** Sets which executable this process and its children use; `undefined`: none. */
export function useBrowser(name: BrowserName, path: string | undefined): void {
  process.env[known[name].variable] = path ?? ''
}

/** The first candidate that starts; `undefined` where none does. Ubuntu's `chromium-browser` may only be a stub that asks for snap. */
export async function startableBrowser(name: BrowserName): Promise<string | undefined> {
  for (const path of browserCandidates(name)) {
    try {
      const browser = await known[name].type.launch({ ...launchOptions(name, path), timeout: 60_000 })
      await browser.close()
      return path
    } catch (error) {
      console.log(`${path} does not start: ${error instanceof Error ? error.message.split('\n')[0] : error}`)
    }
  }
  return undefined
}
