import { containerEngine, type ContainerEngine } from '../container/container-engine.ts'
import type { Progress } from '../install-once.ts'
import { fromEnvironment, type ServiceDefinition, type Variables } from '../service-catalogue.ts'
import { endNative, isHosted, startNative } from './native-service.ts'
import type { ServiceRecord, StateFile } from './state-file.ts'

/** What a service comes from. */
export type Origin = 'environment' | 'running' | 'container' | 'native'

export interface BroughtUp {
  readonly origin: Origin
  readonly variables: Variables
}

export interface BringUpOptions {
  readonly state: StateFile
  readonly env: Readonly<Record<string, string | undefined>>
  /** A container engine that answers, if there is one. */
  readonly engine: ContainerEngine | undefined
  readonly progress: Progress
}

/**
 * Sees to it that a service can be used: the one that the environment names, else the one that runs already, else one in
 * a container, else one of this machine. What an earlier run left behind is cleared away first.
 */
export async function bringUp(service: ServiceDefinition, { state, env, engine, progress }: BringUpOptions): Promise<BroughtUp> {
  const named = fromEnvironment(service, env)
  if (named !== undefined) return { origin: 'environment', variables: named }
  const onWait = (pid: number): void => progress(`waiting for process ${pid}, which is at it`)
  return state.alone(service.name, onWait, async () => {
    const running = await whatRuns(service, state)
    if (running !== undefined) return { origin: 'running', variables: running }
    await takeDownRecord(service.name, await state.read(service.name), state)
    if (engine !== undefined && service.container !== undefined) return { origin: 'container', variables: await startContainer(service, engine, state) }
    return { origin: 'native', variables: await startNative(service, state, progress) }
  })
}

/** Ends a service, whatever runs it, and removes what it had. @returns whether there was anything */
export function takeDown(name: string, state: StateFile, progress: Progress): Promise<boolean> {
  const onWait = (pid: number): void => progress(`waiting for process ${pid}, which is at it`)
  return state.alone(name, onWait, async () => {
    const record = await state.read(name)
    await takeDownRecord(name, record, state)
    return record !== undefined
  })
}

/** What programs are told of a service that was brought up and answers. */
export async function whatRuns(service: ServiceDefinition, state: StateFile): Promise<Variables | undefined> {
  const record = await state.read(service.name)
  if (record?.variables === undefined) return undefined
  if (record.kind === 'native' && !isHosted(record)) return undefined
  return (await service.answers(record.variables).catch(() => false)) ? record.variables : undefined
}

async function startContainer(service: ServiceDefinition, engine: ContainerEngine, state: StateFile): Promise<Variables> {
  const plan = service.container
  if (plan === undefined) return {}
  const note = (variables: Variables): Promise<void> => state.write(service.name, { kind: 'container', engine: engine.command, services: plan.services, variables, since: new Date().toISOString() })
  await note({})
  try {
    const variables = await engine.up(plan)
    await note(variables)
    return variables
  } catch (error) {
    await takeDownRecord(service.name, await state.read(service.name), state)
    throw error
  }
}

async function takeDownRecord(name: string, record: ServiceRecord | undefined, state: StateFile): Promise<void> {
  if (record?.kind === 'native') return endNative(name, record, state)
  if (record?.kind !== 'container') return
  await containerEngine(record.engine).down(record.services)
  await state.remove(name)
}
