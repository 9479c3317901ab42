// npm run services -- up|down|status|env [service ...]
import { findContainerEngine } from '../container/container-engine.ts'
import type { ServiceDefinition } from '../service-catalogue.ts'
import { describeFailure } from '../service-error.ts'
import { type BringUpOptions, bringUp, takeDown } from './bring-up.ts'
import { type Command, help, parseCommand } from './parse-command.ts'
import { exportLines, statusLine, statusOf } from './show-status.ts'
import { openStateFile, type StateFile } from './state-file.ts'

const print = (line: string): void => void process.stdout.write(`${line}\n`)
/** What is no answer, so that `env` can be evaluated and `status --json` be read. */
const tell = (line: string): void => void process.stderr.write(`${line}\n`)

async function main(args: readonly string[]): Promise<number> {
  const command = parseCommand(args)
  const state = openStateFile()
  if (command.verb === 'up') return up(command, state)
  if (command.verb === 'down') return down(command, state)
  if (command.verb === 'status') return status(command, state)
  if (command.verb === 'env') return printEnvironment(command, state)
  process.stdout.write(help())
  return 0
}

async function up({ services, native }: Command, state: StateFile): Promise<number> {
  const engine = native ? undefined : await findContainerEngine()
  const outcomes = await Promise.all(services.map((service) => upOne(service, { state, engine, env: process.env })))
  return outcomes.every(Boolean) ? 0 : 1
}

async function upOne(service: ServiceDefinition, options: Omit<BringUpOptions, 'progress'>): Promise<boolean> {
  const startedAt = Date.now()
  const progress = (line: string): void => print(`${service.name.padEnd(17)} … ${line}`)
  try {
    const { origin, variables } = await bringUp(service, { ...options, progress })
    const how = { environment: 'named by the environment', running: 'runs already', container: `in a container, in ${seconds(startedAt)}`, native: `up in ${seconds(startedAt)}` }[origin]
    const [first] = service.variables
    print(`${service.name.padEnd(17)} ${how}: ${first}=${variables[first]?.replace(/(:\/\/[^:@/]+):[^@/]+@/g, '$1:…@')}`)
    return true
  } catch (error) {
    tell(`${service.name.padEnd(17)} FAILED: ${describeFailure(error)}`)
    return false
  }
}

async function down({ services, areNamed }: Command, state: StateFile): Promise<number> {
  const known = await state.names()
  const wanted = services.filter(({ name }) => areNamed || known.includes(name))
  if (wanted.length === 0) print('nothing is up')
  const outcomes = await Promise.all(
    wanted.map(async ({ name }) => {
      try {
        const found = await takeDown(name, state, (line) => print(`${name.padEnd(17)} … ${line}`))
        print(`${name.padEnd(17)} ${found ? 'is down, and what it held is gone' : 'was not up'}`)
        return true
      } catch (error) {
        tell(`${name.padEnd(17)} FAILED: ${describeFailure(error)}`)
        return false
      }
    }),
  )
  return outcomes.every(Boolean) ? 0 : 1
}

async function status({ services, areNamed, json }: Command, state: StateFile): Promise<number> {
  const found = await Promise.all(services.map((service) => statusOf(service, state, process.env)))
  if (json) print(JSON.stringify(found, null, 2))
  else for (const one of found) print(statusLine(one))
  return areNamed && found.some(({ condition }) => condition !== 'running') ? 1 : 0
}

async function printEnvironment({ services, areNamed }: Command, state: StateFile): Promise<number> {
  const found = await Promise.all(services.map((service) => statusOf(service, state, process.env)))
  const missing = found.filter(({ condition }) => condition !== 'running')
  for (const { variables, condition } of found) if (condition === 'running') for (const line of exportLines(variables)) print(line)
  if (!areNamed || missing.length === 0) return 0
  const names = missing.map(({ name }) => name).join(' ')
  tell(`not up: ${names}; bring up: npm run services -- up ${names}`)
  return 1
}

function seconds(since: number): string {
  return `${((Date.now() - since) / 1000).toFixed(1)} s`
}

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code
  },
  (error: unknown) => {
    tell(error instanceof TypeError ? `${error.message}\n\n${help()}` : describeFailure(error))
    process.exitCode = 2
  },
)
