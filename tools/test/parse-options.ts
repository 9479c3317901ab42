import { parseArgs } from 'node:util'

export const PARTS = ['check', 'unit', 'integration', 'build', 'packed'] as const
export type Part = (typeof PARTS)[number]

export interface Options {
  /** Which parts run, in their fixed order. */
  parts: readonly Part[]
  /** A test that is skipped because an engine is missing counts as failed. */
  requireReal: boolean
  /** Only test files whose path contains one of these. */
  files: readonly string[]
  help: boolean
}

export const HELP = `npm test -- [options] [file ...]

  --only <parts>    run only these parts, comma-separated: ${PARTS.join(', ')}
  --require-real    a test skipped for a missing engine is a failure (the default when CI=true)
  --help            show this
  file ...          run only test files whose path contains one of these words
`

/** What the command line asks for. @throws TypeError with a sentence for the user */
export function parseOptions(args: readonly string[], env: { CI?: string | undefined }): Options {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { only: { type: 'string', multiple: true }, 'require-real': { type: 'boolean' }, help: { type: 'boolean' } },
  })
  const asked = (values.only ?? []).flatMap((list) => list.split(',')).map(partNamed)
  return {
    parts: asked.length === 0 ? PARTS : PARTS.filter((part) => asked.includes(part)),
    requireReal: values['require-real'] ?? isTrue(env.CI),
    files: positionals,
    help: values.help ?? false,
  }
}

function partNamed(word: string): Part {
  const name = word.trim().replace(/^checks$/, 'check')
  const part = PARTS.find((known) => known === name)
  if (part === undefined) throw new TypeError(`unknown part "${word}" after --only: use ${PARTS.join(', ')}`)
  return part
}

function isTrue(value: string | undefined): boolean {
  return value !== undefined && !['', '0', 'false'].includes(value.toLowerCase())
}
