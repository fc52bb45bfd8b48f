/** The commands, with the world outside as an argument. */

import { messageOf } from '../errors.ts'
import { explain } from '../explain.ts'
import { type Command, parseCommand, USAGE, UsageError } from './arguments.ts'
import { check } from './check/index.ts'
import { textOf, verdictOf } from './check/report.ts'
import { follow } from './follow.ts'
import { plain } from './plain.ts'
import { createPrinter } from './print.ts'

export interface Outside {
  out(text: string): void
  err(text: string): void
  /** How wide the terminal is that shows what is written to `out`; none where it is a file, or read by a program. */
  columns(): number | undefined
  /** Ctrl-C. */
  signal: AbortSignal
}

const COULD_NOT = 2
const DETACHED = 130

/** Resolves with the exit code. */
export async function run(args: readonly string[], outside: Outside): Promise<number> {
  const { out, err } = outside
  try {
    const command = parseCommand(args)
    if (command.run === 'help') {
      out(`${USAGE}\n`)
      return args.length === 0 ? COULD_NOT : 0
    }
    return await (command.run === 'check' ? runCheck(command, outside) : runFollow(command, outside))
  } catch (error) {
    if (outside.signal.aborted) return DETACHED
    err(`jobtail: ${plain(messageOf(error))}\n${error instanceof UsageError ? 'jobtail --help says what is possible\n' : ''}`)
    return COULD_NOT
  }
}

async function runCheck({ options, json }: Command & { run: 'check' }, { out, signal }: Outside): Promise<number> {
  const report = await check({ ...options, signal })
  const verdict = verdictOf(report)
  out(json ? `${JSON.stringify({ ...report, verdict }, undefined, 2)}\n` : `${textOf(report)}\n`)
  return { met: 0, findings: 1, 'not run': COULD_NOT }[verdict]
}

async function runFollow({ options, json, verbose }: Command & { run: 'follow' }, { out, err, columns, signal }: Outside): Promise<number> {
  const printer = createPrinter(out, columns)
  const ending = await follow(
    options,
    {
      event: (event) => (json ? out(`${JSON.stringify(event)}\n`) : printer.event(event)),
      diagnostic: verbose ? (diagnostic) => err(`${plain(explain(diagnostic))}\n`) : undefined
    },
    signal
  )
  printer.end()
  switch (ending.status) {
    case 'succeeded':
      return 0
    case 'failed':
    case 'cancelled':
      return 1
    case 'lost':
      err(`jobtail: ${plain(ending.message)}\n`)
      return COULD_NOT
    case 'detached':
      err('jobtail: detached; the job goes on\n')
      return DETACHED
    default:
      return ending satisfies never
  }
}
