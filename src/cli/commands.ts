/** Runs a command of the command line. Everything outside of the process is an argument, so that tests can replace it. */

import { readFile } from 'node:fs/promises'
import { messageOf } from '../errors.ts'
import type { Command } from './arguments/command.ts'
import { commandFrom } from './arguments/command-line.ts'
import { HELP, helpOf } from './arguments/help.ts'
import { tokenOf } from './arguments/secrets-and-input.ts'
import type { CommandContext } from './command-context.ts'
import { cancelJob } from './commands/cancel-job.ts'
import { checkServer } from './commands/check-server.ts'
import { completionScript } from './commands/completion.ts'
import { examineNetwork } from './commands/examine-network.ts'
import { followJob } from './commands/follow-job.ts'
import { getJob } from './commands/get-job.ts'
import { startJob } from './commands/start-job.ts'
import { EXIT, Exit, UsageError } from './exit-codes.ts'
import { stripControls } from './terminal/strip-controls.ts'

/** Runs the command and resolves with its exit code. Never rejects: errors are printed on stderr. */
export async function run(args: readonly string[], context: CommandContext): Promise<number> {
  try {
    return await execute(commandFrom(args), context)
  } catch (thrown) {
    const error = context.signal.aborted && !(thrown instanceof Exit) ? context.signal.reason : thrown
    const message = stripControls(messageOf(error))
    if (message) context.stderr.write(`jobtail: ${message}\n${error instanceof UsageError ? 'Run jobtail --help for the commands and options.\n' : ''}`)
    return error instanceof Exit ? error.code : EXIT.bug
  }
}

async function execute(command: Command, context: CommandContext): Promise<number> {
  const { stdout, stderr } = context
  switch (command.run) {
    case 'help': {
      const { write } = command.isAsked ? stdout : stderr
      write(`${command.of ? helpOf(command.of) : HELP}\n`)
      return command.isAsked ? EXIT.succeeded : EXIT.usage
    }
    case 'version':
      stdout.write(`${await version()}\n`)
      return EXIT.succeeded
    case 'completion':
      stdout.write(completionScript(command.shell))
      return EXIT.succeeded
    case 'follow': {
      const { place, credentials, options } = command
      return followJob(place.job, { base: place.base, headers: credentials.headers, token: await tokenOf(credentials.token, context) }, options, context)
    }
    case 'start':
      return startJob(command, context)
    case 'cancel':
      return cancelJob(command, context)
    case 'get':
      return getJob(command, context)
    case 'check':
      return checkServer(command, context)
    case 'doctor':
      return examineNetwork(command, context)
    default:
      return command satisfies never
  }
}

/** The version in the package's own package.json, which is two folders up from src/cli as well as from dist/cli. */
async function version(): Promise<string> {
  const { version } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'))
  return String(version)
}
