/** Reads the token and the job's input from where the arguments say: argument, file, stdin, environment. */

import { readFile } from 'node:fs/promises'
import { messageOf } from '../../errors.ts'
import type { CommandContext } from '../command-context.ts'
import { UsageError } from '../exit-codes.ts'
import type { Source } from './command.ts'
import { jsonFrom, tokenFrom } from './values.ts'

export async function tokenOf(source: Source, context: CommandContext): Promise<string | undefined> {
  switch (source.from) {
    case 'argument':
      return tokenFrom(source.text, '--token')
    case 'file':
      return tokenFrom((await readText('--token-file', source.path)).trim(), `--token-file ${source.path}`)
    case 'stdin':
      return tokenFrom((await context.stdin()).trim(), 'the token on stdin')
    case 'default':
      return context.env.JOBTAIL_TOKEN ? tokenFrom(context.env.JOBTAIL_TOKEN.trim(), 'JOBTAIL_TOKEN') : undefined
    default:
      return source satisfies never
  }
}

export async function inputOf(source: Source, context: CommandContext): Promise<unknown> {
  switch (source.from) {
    case 'argument':
      return jsonFrom('--data', source.text)
    case 'file':
      return jsonFrom(`--data @${source.path}`, await readText('--data', source.path))
    case 'stdin':
      return jsonFrom('--data -', await context.stdin())
    case 'default':
      return {}
    default:
      return source satisfies never
  }
}

async function readText(option: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw new UsageError(`${option}: expected a readable file, got ${messageOf(error)}`)
  }
}
