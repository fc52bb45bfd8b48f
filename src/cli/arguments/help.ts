/** `--help`: of everything, and of each command. */

import { COMMANDS, type CommandName, HEADS, type Option, optionsOf } from './options.ts'

const COLUMN = 31
const COMMAND_COLUMN = 39

const EXIT_CODES: Readonly<Record<CommandName, string>> = {
  follow: '0 succeeded, 1 failed, 3 cancelled',
  start: '0 started (with --follow: succeeded), 1 failed, 3 cancelled',
  cancel: '0 the server has accepted',
  get: '0 known; with --result: 0 succeeded, 1 failed, 3 cancelled, 75 it has not ended yet',
  check: '0 all that could be put is met, 1 findings, 2 there was nothing to look at',
  completion: '0'
}

const COMMON_CODES = '2 used wrongly, 69 not reached, refused or lost, 124 --timeout, 130 Ctrl-C, 143 SIGTERM'

const ENVIRONMENT = `Environment:
  JOBTAIL_TOKEN                a bearer token, where neither --token nor --token-file is given
  HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY (or in lower case): proxies, as curl reads them
  NODE_EXTRA_CA_CERTS          a file with further certificate authorities
  NO_COLOR, FORCE_COLOR        never or always colours (default: on a terminal)`

const TIP: Partial<Record<CommandName, string>> = {
  check:
    'It starts three jobs, and cancels those that are still running in the end. Where nothing is to be started, name jobs: --job, --running, --cancellable.',
  completion: 'bash: source <(jobtail completion bash)   zsh: source <(jobtail completion zsh)   fish: jobtail completion fish | source'
}

const row = (name: string, says: string): string => `  ${name.length < COLUMN - 2 ? name.padEnd(COLUMN - 2) : `${name}\n${' '.repeat(COLUMN)}`}${says}`

function optionRow([name, { short, value, says }]: [string, Option]): string {
  const long = `--${name}${value === undefined ? '' : ` ${value.startsWith("'") ? value : `<${value}>`}`}`
  return row(short === undefined ? `    ${long}` : `-${short}, ${long}`, says)
}

export function helpOf(command: CommandName): string {
  const { takes, does } = HEADS[command]
  return [
    `jobtail ${command} ${takes}   ${does}`,
    '',
    ...optionsOf(command).map(optionRow),
    '',
    ...(TIP[command] ? [TIP[command], ''] : []),
    ...(command === 'completion' ? [] : [`Exit code: ${EXIT_CODES[command]};`, `           ${COMMON_CODES}`, '', ENVIRONMENT])
  ]
    .join('\n')
    .trimEnd()
}

export const HELP: string = [
  'jobtail <command> …',
  '',
  ...COMMANDS.map((name) => `  ${`jobtail ${name} ${HEADS[name].takes}`.padEnd(COMMAND_COLUMN)}${HEADS[name].does}`),
  '',
  'jobtail <command> --help says what it takes; -V or --version the version.',
  '',
  'Exit code: 0 succeeded, 1 failed, 3 cancelled;',
  `           ${COMMON_CODES}`,
  '',
  ENVIRONMENT
].join('\n')
