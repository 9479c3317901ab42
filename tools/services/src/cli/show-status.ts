import { fromEnvironment, type ServiceDefinition, type Variables } from '../service-catalogue.ts'
import { whatRuns } from './bring-up.ts'
import { isHosted } from './native-service.ts'
import type { ServiceRecord, StateFile } from './state-file.ts'

/** `silent`: it is there, and doesn't answer. `dead`: it was brought up, and its process is gone. */
export type Condition = 'running' | 'starting' | 'silent' | 'dead' | 'down'

export interface ServiceStatus {
  readonly name: string
  readonly condition: Condition
  readonly origin?: 'environment' | 'container' | 'native' | undefined
  readonly since?: string | undefined
  readonly variables: Variables
}

/** Looks at a service: it is asked, and not merely looked up. */
export async function statusOf(service: ServiceDefinition, state: StateFile, env: Readonly<Record<string, string | undefined>>): Promise<ServiceStatus> {
  const { name } = service
  const named = fromEnvironment(service, env)
  if (named !== undefined) {
    const answers = await service.answers(named).catch(() => false)
    return { name, origin: 'environment', condition: answers ? 'running' : 'silent', variables: named }
  }
  const record = await state.read(name)
  if (record === undefined) return { name, condition: 'down', variables: {} }
  const answers = (await whatRuns(service, state)) !== undefined
  return { name, origin: record.kind, condition: answers ? 'running' : withoutAnswer(record), since: record.since, variables: record.variables ?? {} }
}

function withoutAnswer(record: ServiceRecord): Condition {
  if (record.kind === 'native' && !isHosted(record)) return 'dead'
  return record.variables === undefined || Object.keys(record.variables).length === 0 ? 'starting' : 'silent'
}

/** One line a service. Passwords are for `env` alone. */
export function statusLine({ name, condition, origin, since, variables }: ServiceStatus): string {
  const where = Object.entries(variables)
    .slice(0, 1)
    .map(([variable, value]) => `${variable}=${withoutPassword(value)}`)
  const from = origin === undefined ? [] : [origin === 'environment' ? 'named by the environment' : `${origin}, since ${since}`]
  return [name.padEnd(17), condition.padEnd(9), ...where, ...from.map((text) => `(${text})`)].join(' ').trimEnd()
}

function withoutPassword(value: string): string {
  return value.replace(/(:\/\/[^:@/]+):[^@/]+@/g, '$1:…@')
}

/** Lines that set the variables in a shell. */
export function exportLines(variables: Variables): string[] {
  return Object.entries(variables).map(([name, value]) => `export ${name}='${value.replaceAll("'", String.raw`'\''`)}'`)
}
