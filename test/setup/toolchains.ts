import { delimiter, join } from 'node:path'
import { isExecutable } from './browsers.ts'

export type Language = 'python' | 'go'

const known: Record<Language, { variable: string; command: string }> = {
  python: { variable: 'PYTHON_PATH', command: 'python3' },
  go: { variable: 'GO_PATH', command: 'go' }
}

/** The path of the program that runs examples in this language; `undefined` where there is none, or where the variable is empty. */
export function findToolchain(language: Language): string | undefined {
  const { variable, command } = known[language]
  const asked = process.env[variable]
  if (asked !== undefined) return asked || undefined
  return (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, command))
    .find(isExecutable)
}
