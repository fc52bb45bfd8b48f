/** The texts of `--help`: of all commands, and of each. */

import { COMMANDS, type CommandName, HEADS, type Option, optionsOf } from './options.ts'

const COLUMN = 31
const COMMAND_COLUMN = 39

const EXIT_CODES: Readonly<Record<CommandName, string>> = {
  follow: '0 succeeded, 1 failed, 3 cancelled',
  start: '0 started (with --follow: succeeded), 1 failed, 3 cancelled',
  cancel: '0 the server has accepted the cancel',
  get: '0 the job is known; with --result: 0 succeeded, 1 failed, 3 cancelled, 75 not ended yet',
  check: '0 every clause that could be checked is met, 1 findings, 2 nothing could be checked',
  doctor: '0 every way of reading gets through, 1 findings',
  completion: '0'
}

const COMMON_CODES = '2 wrong usage, 69 server unreachable, refused or lost, 70 a bug of jobtail, 124 --timeout, 130 Ctrl-C, 143 SIGTERM'
/** Of `check`, whose `--timeout` is for one answer, and of `doctor`, which has none. */
const CHECK_CODES = COMMON_CODES.replace(' 124 --timeout,', '')

const ENVIRONMENT = `Environment:
  JOBTAIL_TOKEN                the bearer token, if neither --token nor --token-file is given
  HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY (or in lower case): proxies, as curl reads them
  NODE_EXTRA_CA_CERTS          a file with additional certificate authorities
  NO_COLOR, FORCE_COLOR        never or always use colours (default: on a terminal)`

const TIP: Partial<Record<CommandName, string>> = {
  check: 'Starts three jobs, and cancels those that still run at the end. To start none, name existing jobs with --job, --running and --cancellable.',
  doctor: 'Name a job that runs for a while: only then can be seen what is held back or cut.',
  completion: 'bash: source <(jobtail completion bash)   zsh: source <(jobtail completion zsh)   fish: jobtail completion fish | source'
}

const row = (name: string, says: string): string => `  ${name.length < COLUMN - 2 ? name.padEnd(COLUMN - 2) : `${name}\n${' '.repeat(COLUMN)}`}${says}`

function optionRow([name, { short, value, description }]: [string, Option]): string {
  const long = `--${name}${value === undefined ? '' : ` ${value.startsWith("'") ? value : `<${value}>`}`}`
  return row(short === undefined ? `    ${long}` : `-${short}, ${long}`, description)
}

export function helpOf(command: CommandName): string {
  const { operand, summary } = HEADS[command]
  return [
    `jobtail ${command} ${operand}   ${summary}`,
    '',
    ...optionsOf(command).map(optionRow),
    '',
    ...(TIP[command] ? [TIP[command], ''] : []),
    ...(command === 'completion'
      ? []
      : [`Exit code: ${EXIT_CODES[command]};`, `           ${command === 'check' || command === 'doctor' ? CHECK_CODES : COMMON_CODES}`, '', ENVIRONMENT])
  ]
    .join('\n')
    .trimEnd()
}

export const HELP: string = [
  'jobtail <command> …',
  '',
  ...COMMANDS.map((name) => `  ${`jobtail ${name} ${HEADS[name].operand}`.padEnd(COMMAND_COLUMN)}${HEADS[name].summary}`),
  '',
  'Run jobtail <command> --help for its options, jobtail --version for the version.',
  '',
  'Exit code: 0 succeeded, 1 failed, 3 cancelled;',
  `           ${COMMON_CODES}`,
  '',
  ENVIRONMENT
].join('\n')
