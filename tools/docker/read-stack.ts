import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { parseEnv } from 'node:util'

/** Text to text, as an environment is. */
export type Variables = Readonly<Record<string, string>>

/** What of a compose file the checks look at. */
export interface ComposeService {
  readonly image?: string
  readonly build?: { readonly context: string; readonly dockerfile: string; readonly args: Variables }
  readonly environment?: Variables
  readonly volumes?: readonly string[]
  readonly ports?: readonly string[]
  readonly healthcheck?: object
  readonly depends_on?: Readonly<Record<string, unknown>>
}

/** A compose file, its anchors resolved. */
export interface ComposeFile {
  readonly services: Readonly<Record<string, ComposeService>>
  readonly volumes: Readonly<Record<string, unknown>>
}

/** The workspace's folder. */
export const ROOT = join(import.meta.dirname, '../..')

/** Nx brings a YAML parser with it; one more dependency for this check alone would be too many. */
const { parse } = createRequire(createRequire(import.meta.url).resolve('nx/package.json'))('yaml') as {
  parse: (text: string, options: { merge: boolean }) => unknown
}

/** Reads a compose file. */
export function readCompose(file = 'docker/compose.yaml'): ComposeFile {
  return parse(readFileSync(join(ROOT, file), 'utf8'), { merge: true }) as ComposeFile
}

/** Reads a file of `NAME=value` lines. */
export function readVariables(file: string): Variables {
  return parseEnv(readFileSync(join(ROOT, file), 'utf8')) as Variables
}

/** Puts values in the place of `${NAME}`, `${NAME:-default}` and `${NAME:?complaint}`, as Compose does. Throws for one that is missing. */
export function interpolate(text: string, variables: Variables): string {
  return text.replace(/\$\{(\w+)(?:(:-|:\?)([^}]*))?\}/g, (_place, name: string, operator: string | undefined, rest: string | undefined) => {
    const value = variables[name]
    if (value !== undefined && value !== '') return value
    if (operator === ':-') return rest ?? ''
    throw new RangeError(`${name} is not set: ${rest ?? ''}`)
  })
}
