/** `jobtail completion <shell>`: prints a completion script, made from the table of options. */

import { COMMANDS, type CommandName, HEADS, type Option, type OptionName, optionsOf, SHELLS } from '../arguments/options.ts'

export function completionScript(shell: (typeof SHELLS)[number]): string {
  return { bash, zsh, fish }[shell]()
}

const names = (command: CommandName): string[] =>
  optionsOf(command).flatMap(([name, { short }]) => [`--${name}`, ...(short === undefined ? [] : [`-${short}`])])

/** The options that take a value, of all commands. */
function withValues(): { name: OptionName; option: Option }[] {
  const all = new Map(COMMANDS.flatMap(optionsOf))
  return [...all].filter(([, { type }]) => type === 'string').map(([name, option]) => ({ name, option }))
}

const spellings = (name: OptionName, { short }: Option): string => [`--${name}`, ...(short === undefined ? [] : [`-${short}`])].join('|')

function bash(): string {
  const values = withValues().map(({ name, option }) => {
    const words = option.choices
      ? `mapfile -t COMPREPLY < <(compgen -W '${option.choices.join(' ')}' -- "$word")`
      : option.isFile
        ? 'compopt -o default 2>/dev/null'
        : ':'
    return `    ${spellings(name, option)}) ${words}; return ;;`
  })
  const commands = COMMANDS.map((command) => `    ${command}) options='${names(command).join(' ')}' ;;`)
  return `# jobtail completion for bash: source <(jobtail completion bash)
_jobtail() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} options
  COMPREPLY=()
  case $before in
${values.join('\n')}
  esac
  case \${COMP_WORDS[1]} in
${commands.join('\n')}
    *) options='${names('follow').join(' ')}' ;;
  esac
  if ((COMP_CWORD == 1)) && [[ $word != -* ]]; then
    options='${COMMANDS.join(' ')} help'
  elif [[ \${COMP_WORDS[1]} == completion && $word != -* ]]; then
    options='${SHELLS.join(' ')}'
  elif [[ \${COMP_WORDS[1]} == help ]]; then
    options='${COMMANDS.join(' ')}'
  elif [[ $word != -* ]]; then
    return
  fi
  mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
}
complete -F _jobtail jobtail
`
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`
const zshText = (text: string): string => text.replace(/[[\]:\\]/g, '\\$&')

function zsh(): string {
  const specs = (command: CommandName): string =>
    optionsOf(command)
      .flatMap(([name, { short, type, multiple, description, choices, isFile, value }]) =>
        [`--${name}`, ...(short === undefined ? [] : [`-${short}`])].map((spelling) => {
          const completes = choices ? `(${choices.join(' ')})` : isFile ? '_files' : ''
          return quoted(`${multiple ? '*' : ''}${spelling}[${zshText(description)}]${type === 'string' ? `:${zshText(value ?? '')}:${completes}` : ''}`)
        })
      )
      .join(' ')
  return `#compdef jobtail
# jobtail completion for zsh: source <(jobtail completion zsh)
_jobtail() {
  local -a commands=(${COMMANDS.map((name) => quoted(`${name}:${zshText(HEADS[name].summary)}`)).join(' ')})
  if ((CURRENT == 2)) && [[ $PREFIX != -* ]]; then
    _describe command commands
    return
  fi
  local command=$words[2]
  case $command in
${COMMANDS.map((name) => `    ${name}) shift words; ((CURRENT--)); _arguments ${specs(name)} ${name === 'completion' ? quoted(`1:shell:(${SHELLS.join(' ')})`) : ''} ;;`).join('\n')}
    *) _arguments ${specs('follow')} ;;
  esac
}
compdef _jobtail jobtail
`
}

function fish(): string {
  const first = `complete -c jobtail -f`
  const commands = COMMANDS.map((name) => `complete -c jobtail -n __fish_use_subcommand -a ${name} -d ${quoted(HEADS[name].summary)}`)
  const options = COMMANDS.flatMap((command) => {
    const when =
      command === 'follow'
        ? `not __fish_seen_subcommand_from ${COMMANDS.filter((each) => each !== 'follow').join(' ')}`
        : `__fish_seen_subcommand_from ${command}`
    return optionsOf(command).map(([name, { short, type, choices, isFile, description }]) => {
      const completes = choices ? ` -x -a ${quoted(choices.join(' '))}` : isFile ? ' -r -F' : type === 'string' ? ' -x' : ''
      return `complete -c jobtail -n ${quoted(when)} -l ${name}${short === undefined ? '' : ` -s ${short}`}${completes} -d ${quoted(description)}`
    })
  })
  const shells = `complete -c jobtail -n '__fish_seen_subcommand_from completion' -a ${quoted(SHELLS.join(' '))}`
  return `# jobtail completion for fish: jobtail completion fish | source\n${[first, ...commands, ...options, shells].join('\n')}\n`
}
