import { parseArgs } from 'node:util'
import { type ServiceDefinition, SERVICES } from '../service-catalogue.ts'

const VERBS = ['up', 'down', 'status', 'env'] as const
export type Verb = (typeof VERBS)[number]

/** What the command line asks for. */
export interface Command {
  readonly verb: Verb | 'help'
  readonly services: readonly ServiceDefinition[]
  /** Whether the services were named one by one. */
  readonly areNamed: boolean
  readonly json: boolean
  /** Brings services up on this machine although a container engine answers. */
  readonly native: boolean
}

/** What `up` without a name brings up: what most tests use. */
const USUAL = ['kafka', 'timescaledb', 'clickhouse', 'redis']

/** How the command is used. */
export function help(): string {
  const rows = SERVICES.map(({ name, title, variables }) => `  ${name.padEnd(17)}${title} (${variables[0]})`)
  return `npm run services -- up|down|status|env [service ...]

  up       brings services up in the background, those that run already included; without a name: ${USUAL.join(', ')}
  down     ends them and removes what they held; the next "up" has other ports and passwords; without a name: all
  status   says what runs, and answers
  env      prints lines for a shell: eval "$(npm run --silent services -- env)"

  --json     status as JSON
  --native   up: without containers, although an engine answers
  --help     shows this

services (and the variable that names another one, which is used instead):
${rows.join('\n')}

What is downloaded and unpacked stays in .services/cache, or in the folder that SMART_WHALE_SERVICES_CACHE names.
`
}

/** Reads the command line. @throws TypeError with a sentence for the user */
export function parseCommand(args: readonly string[]): Command {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { json: { type: 'boolean', default: false }, native: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } },
  })
  const [word, ...names] = positionals
  const { json, native } = values
  if (values.help || word === undefined || word === 'help') return { verb: 'help', services: [], areNamed: false, json, native }
  const verb = VERBS.find((known) => known === word)
  if (verb === undefined) throw new TypeError(`unknown command "${word}": use ${VERBS.join(', ')}`)
  const services = names.length > 0 ? [...new Set(names)].map(serviceNamed) : verb === 'up' ? USUAL.map(serviceNamed) : SERVICES
  return { verb, services, areNamed: names.length > 0, json, native }
}

function serviceNamed(name: string): ServiceDefinition {
  const service = SERVICES.find((known) => known.name === name)
  if (service === undefined) throw new TypeError(`unknown service "${name}": use ${SERVICES.map((known) => known.name).join(', ')}`)
  return service
}
