import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { chromium, firefox, type LaunchOptions } from 'playwright'

export type BrowserName = 'chromium' | 'firefox'

interface Known {
  /** Where whoever runs the tests may say which one to use; empty for none. */
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
    return false // that is the answer: accessSync has no other way to say it
  }
}

/** Every executable that may be this browser, best first: the one asked for, installed ones, Playwright's own. */
export function browserCandidates(name: BrowserName): string[] {
  const { variable, commands, paths, type } = known[name]
  const asked = process.env[variable]
  if (asked !== undefined) return asked === '' ? [] : [asked]
  const folders = (process.env.PATH ?? '').split(delimiter)
  const installed = commands.flatMap((command) => folders.map((folder) => join(folder, command)))
  return [...installed, ...paths, type.executablePath()].filter(isExecutable)
}

export const findBrowser = (name: BrowserName): string | undefined => browserCandidates(name)[0]

/** How to launch it, so that it makes no request of its own and runs as root too. */
export function launchOptions(name: BrowserName, executablePath: string): LaunchOptions {
  if (name === 'chromium') {
    const quiet = ['--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']
    return { executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-quic', ...quiet] }
  }
  // Playwright drives its own Firefox build by one protocol, and a Firefox as Mozilla ships it by another.
  return executablePath === firefox.executablePath() ? { executablePath } : { executablePath, channel: 'moz-firefox' }
}

/** Settles for this process and those that it starts which executable this browser is; `undefined`: it is not to be used. */
export function useBrowser(name: BrowserName, path: string | undefined): void {
  process.env[known[name].variable] = path ?? ''
}

/** The first candidate that really starts (Ubuntu's `chromium-browser` may be a stub that asks for snap); `undefined` where none does. */
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
