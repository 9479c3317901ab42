import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { findFreePorts } from '../free-ports.ts'
import { describeFailure, ServiceError } from '../service-error.ts'
import type { ContainerPlan } from './container-plan.ts'

const run = promisify(execFile)
const FILE = fileURLToPath(new URL('../../../../docker/services.compose.yaml', import.meta.url))
const ANSWER_MS = 5_000
const PULL_AND_START_MS = 600_000
const DOWN_MS = 60_000

/** A container engine that answers, by the name of its command. */
export interface ContainerEngine {
  readonly command: string
  /** Starts the services and waits until they are healthy. @returns what programs are told of them */
  up(plan: ContainerPlan): Promise<Readonly<Record<string, string>>>
  /** Ends the services and removes what they had. */
  down(services: readonly string[]): Promise<void>
}

/** The first engine that answers, and not merely is installed. */
export async function findContainerEngine(commands: readonly string[] = ['docker', 'podman']): Promise<ContainerEngine | undefined> {
  for (const command of commands) {
    // The client alone prints its own version even where no engine runs: `info` asks the engine. Compose is a part of its own.
    const answers = await ask(command, ['info']).then(() => ask(command, ['compose', 'version'])).then(() => true, () => false)
    if (answers) return containerEngine(command)
  }
  return undefined
}

/** An engine by the name of its command. */
export function containerEngine(command: string): ContainerEngine {
  const compose = (args: readonly string[], env: Readonly<Record<string, string>>, timeout: number): Promise<unknown> =>
    run(command, ['compose', '--file', FILE, ...args], { env: { ...process.env, ...env }, timeout }).catch((cause: unknown) => {
      const words = (cause as { stderr?: string }).stderr?.trim().split('\n').at(-1) ?? describeFailure(cause)
      throw new ServiceError(`${command} compose ${args[0]} failed: ${words}`, { code: 'ERR_SERVICES_START_FAILED', remedy: `see ${command} compose --file docker/services.compose.yaml logs`, cause })
    })
  return {
    command,
    up: async ({ services, ports, variables }) => {
      const chosen = await findFreePorts(ports.length)
      const env = Object.fromEntries(ports.map((name, index) => [name, String(chosen[index])]))
      await compose(['up', '--detach', '--wait', ...services], env, PULL_AND_START_MS)
      return variables(chosen)
    },
    down: async (services) => {
      await compose(['rm', '--stop', '--force', '--volumes', ...services], {}, DOWN_MS)
    },
  }
}

function ask(command: string, args: readonly string[]): Promise<unknown> {
  return run(command, [...args], { timeout: ANSWER_MS })
}
