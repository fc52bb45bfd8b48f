import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { COMMANDS, OPTIONS, optionsOf } from '../../src/cli/arguments/options.ts'
import { binary, jobtail } from './command.ts'

const run = promisify(execFile)
const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))

test.each([[['-V']], [['--version']]])('%j prints the version', async (args) => {
  expect(await binary(args)).toEqual({ code: 0, out: `${version}\n`, err: '' })
})

describe('help', () => {
  test.each([[['-h']], [['--help']], [['help']]])('%j names every command', async (args) => {
    const { code, out, err } = await binary(args)
    expect({ code, err }).toEqual({ code: 0, err: '' })
    for (const command of COMMANDS) expect(out).toMatch(new RegExp(`^  jobtail ${command} <`, 'm'))
  })

  test.each(COMMANDS)('of %s lists each of its options, and no other', async (command) => {
    const texts = await Promise.all(
      [
        [command, '-h'],
        [command, '--help'],
        ['help', command]
      ].map((args) => jobtail(args))
    )
    for (const { code, out } of texts) {
      expect(code).toBe(0)
      expect(out).toBe(texts[0]?.out)
      const named = [...out.matchAll(/^ {2}(?:-\w, | {4})--([\w-]+)/gm)].map(([, name]) => name)
      expect(named).toEqual(optionsOf(command).map(([name]) => name))
    }
  })

  test('without arguments prints to stderr and exits with 2', async () => {
    expect(await binary([])).toMatchObject({ code: 2, out: '', err: expect.stringContaining('jobtail <command>') })
  })
})

test.each([
  [['http://host/jobs/42', 'http://host/jobs/43'], 'expected one URL, got 2 arguments'],
  [['stat', 'http://host/jobs/42'], 'expected the URL of a job or one of follow, start, cancel, get, check, doctor, completion, got stat'],
  [['get'], 'get: expected one URL, got none'],
  [['get', 'http://host/jobs/42', '--after', 'tail'], '--after is no option of get'],
  [['http://host/jobs/42', '--timeout', 'soon'], '--timeout: expected a number of seconds, or a number with s, m or h'],
  [['http://host/jobs/42', '--timeout', '0'], '--timeout'],
  [['http://host/jobs/42', '--timeout', '2147484'], 'at most 2147483 s'],
  [['http://host/jobs/42', '--timeout', '1e3'], '--timeout'],
  [['http://host/jobs/42', '--progress', 'loud'], '--progress: expected one of auto, bar, plain, none, got loud'],
  [['http://host/jobs/42', '--json', '--result'], '--json and --result: expected only one of them'],
  [['localhost:8123'], 'expected the URL of a job, {base}/{id}'],
  [['localhost:99999/jobs/1'], 'expected an http: or https: URL, got localhost:99999/jobs/1'],
  [['ws://host/jobs/1'], 'expected an http: or https: URL'],
  [['doctor', 'http://host/jobs/1', '--data', '{}'], '--data: expected together with --start'],
  [['doctor', 'http://host/jobs/1', '--watch', '2h'], '--watch: expected a number of seconds'],
  [['completion', 'csh'], 'expected one of bash, zsh, fish, got csh'],
  [['check', 'http://host/jobs', '--skip', 'nonsense'], '--skip: expected the id of a clause'],
  [['check', 'http://host/jobs', '--reporter', 'tap'], '--reporter: expected one of text, json, junit, github, got tap'],
  [['check', 'http://host/jobs', '--reporter', 'junit', '--json'], 'expected only one of them']
])('%j is refused', async (args, said) => {
  expect(await jobtail(args)).toMatchObject({ code: 2, out: '', err: expect.stringContaining(said) })
})

test.each(['http://me:s3cret@host:x/jobs/1', 'me:s3cret@host/jobs/1', 'ftp://me:s3cret@host/', 'http://host/?token=s3cret', 'ftp://host/?token=s3cret'])(
  '%s is refused without printing its secret',
  async (url) => {
    const { code, err } = await jobtail([url])
    expect(code).toBe(2)
    expect(err).not.toContain('s3cret')
  }
)

describe('completion', () => {
  /** The completions that bash offers after these words. */
  async function offered(...words: string[]): Promise<string[]> {
    const { out } = await jobtail(['completion', 'bash'])
    const list = words.map((word) => `'${word}'`).join(' ')
    const script = `${out}\nCOMP_WORDS=(${list}); COMP_CWORD=${words.length - 1}; _jobtail; printf '%s\\n' "\${COMPREPLY[@]}"`
    const { stdout } = await run('bash', ['--norc', '-euo', 'pipefail', '-c', script.replace('_jobtail; printf', '_jobtail || true; printf')])
    return stdout.split('\n').filter(Boolean)
  }

  test('for bash: commands, their options, and the values of options', async () => {
    expect(await offered('jobtail', '')).toEqual([...COMMANDS, 'help'])
    expect(await offered('jobtail', 'c')).toEqual(['cancel', 'check', 'completion'])
    for (const command of COMMANDS)
      expect((await offered('jobtail', command, '--')).toSorted()).toEqual(
        optionsOf(command)
          .map(([name]) => `--${name}`)
          .toSorted()
      )
    expect(await offered('jobtail', 'check', '--reporter', 'j')).toEqual(['json', 'junit'])
    expect(await offered('jobtail', 'http', '--progress', '')).toEqual(OPTIONS.progress.choices)
    expect(await offered('jobtail', 'completion', '')).toEqual(['bash', 'zsh', 'fish'])
    expect(await offered('jobtail', 'start', '-d', '')).toEqual([])
  })

  test('for bash is registered', async () => {
    const { stdout } = await run('bash', ['--norc', '-c', `source <('${process.execPath}' src/cli/main.ts completion bash); complete -p jobtail`])
    expect(stdout).toBe('complete -F _jobtail jobtail\n')
  })

  test.each(['zsh', 'fish'])('for %s: every option of every command', async (shell) => {
    const { code, out } = await jobtail(['completion', shell])
    expect(code).toBe(0)
    for (const command of COMMANDS) expect(out).toContain(command)
    for (const name of Object.keys(OPTIONS)) expect(out).toMatch(new RegExp(shell === 'zsh' ? `--${name}\\[` : `-l ${name}\\b`))
  })
})
