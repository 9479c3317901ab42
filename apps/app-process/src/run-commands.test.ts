import { describe, expect, it } from 'vitest'
import { ConfigurationError, ConnectionError } from '@smart-whale/interfaces'
import { type Command, type CommandCall, EXIT } from './command-line.ts'
import { runCommands } from './run-commands.ts'

const command = (name: string, run: Command['run'] = async () => EXIT.ok): Command => ({ name, summary: `Does ${name}`, usage: '[--to PLACE]', help: '  --to PLACE   where to', examples: [['--to Bergen', 'Swims there']], exits: { 0: 'it swam' }, options: { to: { type: 'string' } }, maxPositionals: 1, run })

async function run(args: string[], work?: Command['run']): Promise<{ code: number; out: string; error: string; called: string[] }> {
  const called: string[] = []
  const written = { out: '', error: '' }
  const noting = (name: string): Command =>
    command(name, async (call: CommandCall) => {
      called.push(`${name} ${JSON.stringify(call.values)} ${call.positionals.join()}`)
      return (await work?.(call)) ?? EXIT.ok
    })
  const line = { name: 'whale', summary: 'A whale.', help: 'Environment: none', defaultCommand: 'swim', commands: [noting('swim'), noting('songs list'), noting('songs sing')] }
  const code = await runCommands(line, { args, environment: {}, signal: new AbortController().signal, terminal: { out: (text) => void (written.out += text), error: (text) => void (written.error += text) } })
  return { code, called, ...written }
}

const HELP_OF_LIST = `Does songs list.

  whale songs list [--to PLACE]

  --to PLACE   where to

Examples:
  whale songs list --to Bergen
      Swims there

Exit codes:
  0  it swam
  1  a broker or store is away or broke; trying again may help
  2  command line, environment, a file, a login or a name is wrong; trying again does not help
`

describe('a command line', () => {
  it('runs the command of one word or two, with its options', async () => {
    expect((await run(['swim', '--to', 'Bergen'])).called).toEqual(['swim {"to":"Bergen"} '])
    expect((await run(['songs', 'sing', 'loud', '--json'])).called).toEqual(['songs sing {"json":true} loud'])
    expect((await run([])).called).toEqual(['swim {} '])
    expect((await run(['--to', 'Oslo'])).called).toEqual(['swim {"to":"Oslo"} '])
  })

  it('tells what there is, and what each does', async () => {
    const overview = await run(['--help'])
    expect(overview).toMatchObject({ code: EXIT.ok, called: [] })
    for (const text of ['A whale.', 'songs list  Does songs list', 'Environment: none']) expect(overview.out).toContain(text)
    expect((await run(['songs', 'list', '--help'])).out).toBe(HELP_OF_LIST)
    const family = await run(['songs', '--help'])
    expect(family).toMatchObject({ code: EXIT.ok, called: [] })
    expect(family.out).toContain('songs sing  Does songs sing')
    expect(family.out).not.toContain('Does swim')
  })

  it.each([
    [['fly'], 'whale: there is no command "fly"; there are swim, songs list, songs sing'],
    [['swin'], 'whale: there is no command "swin"; did you mean "swim"?'],
    [['song', 'list'], 'whale: there is no command "song"; did you mean "songs"?'],
    [['songs'], 'whale: "songs" needs one more word: songs list, songs sing'],
    [['swim', '--deep'], "whale swim: Unknown option '--deep'; whale swim --help lists the options"],
    [['swim', 'a', 'b'], 'whale swim: "b" is one word too many; whale swim --help tells what it takes'],
  ])('refuses %j in one line', async (args, message) => {
    expect(await run(args)).toEqual({ code: EXIT.usage, out: '', error: `${message}\n`, called: [] })
  })

  it('makes an exit code and a line of what a command throws, for a person or a program', async () => {
    expect(await run(['swim'], () => Promise.reject(new ConfigurationError('no sea')))).toMatchObject({ code: EXIT.usage, error: 'whale swim: no sea\n' })
    expect(await run(['swim'], () => Promise.reject(new ConnectionError('the sea is away')))).toMatchObject({ code: EXIT.failed })
    const { error } = await run(['swim', '--json'], () => Promise.reject(new ConnectionError('the sea is away')))
    expect(JSON.parse(error)).toEqual({ error: { code: 'ERR_CONNECTION', message: 'the sea is away' } })
    expect(await run(['swim'], async () => EXIT.found)).toMatchObject({ code: 3 })
  })

  it('ends like every program that a signal ends, and says so', async () => {
    const stopped = AbortSignal.abort('SIGINT')
    const line = { name: 'whale', summary: '', help: '', defaultCommand: 'swim', commands: [command('swim', (call) => Promise.reject(call.signal.reason))] }
    let error = ''

    expect(await runCommands(line, { args: [], environment: {}, signal: stopped, terminal: { out: () => {}, error: (text) => void (error += text) } })).toBe(130)
    expect(error).toBe('whale swim: ended by SIGINT\n')
  })

  it.each([
    [true, [], '\u001b[31mred\u001b[39m\n'],
    [false, [], 'red\n'],
    [true, ['--json'], 'red\n'],
  ])('paints on a terminal with colours (%s), and never for a program (%j)', async (hasColours, args, text) => {
    const line = { name: 'whale', summary: '', help: '', defaultCommand: 'swim', commands: [command('swim', async ({ print, paint }) => (print(paint('red', 'red')), 0))] }
    let out = ''
    await runCommands(line, { args, environment: {}, signal: new AbortController().signal, terminal: { out: (written) => void (out += written), error: () => {}, hasColours } })

    expect(out).toBe(text)
  })
})
