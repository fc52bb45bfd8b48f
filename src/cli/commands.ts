/** The commands, with the world outside as an argument. */

import { readFile } from 'node:fs/promises'
import { messageOf } from '../errors.ts'
import { type Command, commandFrom } from './arguments/command-line.ts'
import { HELP, helpOf } from './arguments/help.ts'
import { tokenOf } from './arguments/secrets-and-input.ts'
import { cancelJob } from './commands/cancel-job.ts'
import { checkServer } from './commands/check-server.ts'
import { completionScript } from './commands/completion.ts'
import { followJob } from './commands/follow-job.ts'
import { getJob } from './commands/get-job.ts'
import { startJob } from './commands/start-job.ts'
import { EXIT, Exit, UsageError } from './exit-codes.ts'
import type { Outside } from './outside.ts'
import { plain } from './terminal/plain.ts'

/** Resolves with the exit code, whatever happens. */
export async function run(args: readonly string[], outside: Outside): Promise<number> {
  try {
    return await execute(commandFrom(args), outside)
  } catch (thrown) {
    const error = outside.signal.aborted && !(thrown instanceof Exit) ? outside.signal.reason : thrown
    const message = plain(messageOf(error))
    if (message) outside.stderr.write(`jobtail: ${message}\n${error instanceof UsageError ? 'jobtail --help says what is possible\n' : ''}`)
    return error instanceof Exit ? error.code : EXIT.bug
  }
}

async function execute(command: Command, outside: Outside): Promise<number> {
  const { stdout, stderr } = outside
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
      const { place, reach, options } = command
      return followJob(place.job, { base: place.base, headers: reach.headers, token: await tokenOf(reach.token, outside) }, options, outside)
    }
    case 'start':
      return startJob(command, outside)
    case 'cancel':
      return cancelJob(command, outside)
    case 'get':
      return getJob(command, outside)
    case 'check':
      return checkServer(command, outside)
    default:
      return command satisfies never
  }
}

/** The package's own, which lies two folders above, compiled or not. */
async function version(): Promise<string> {
  const { version } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'))
  return String(version)
}
