// What was brought up, by whom, and how it is reached: one file, which `up`, `down`, `status` and `env` share.
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { withLock } from '../../../toolchain/lock.mjs'
import type { ProcessEntry } from '../../../toolchain/process-table.mjs'
import type { Variables } from '../service-catalogue.ts'
import { servicesFolder } from '../services-folder.ts'

/** One process, and no later one with the same number. */
export type ProcessMark = Pick<ProcessEntry, 'pid' | 'startedAt'>

/** What is known of one service. It is noted before the service runs, so that a start that was cut off leaves a trace. */
export type ServiceRecord =
  | {
      readonly kind: 'native'
      /** Runs the servers, and ends them when it ends. */
      readonly host: ProcessMark
      /** Main processes of the servers; none until they answer. */
      readonly servers: readonly ProcessMark[]
      /** `undefined` until they answer. */
      readonly variables?: Variables | undefined
      readonly since: string
    }
  | { readonly kind: 'container'; readonly engine: string; readonly services: readonly string[]; readonly variables: Variables; readonly since: string }

type State = Readonly<Record<string, ServiceRecord>>

/** Shared by the commands of one checkout. */
export interface StateFile {
  read(name: string): Promise<ServiceRecord | undefined>
  /** Names of all that is noted. */
  names(): Promise<string[]>
  write(name: string, record: ServiceRecord): Promise<void>
  /** Takes a service out; the file goes with the last one. */
  remove(name: string): Promise<void>
  /** Lets nobody else bring this service up or down meanwhile. */
  alone<T>(name: string, onWait: (pid: number) => void, work: () => Promise<T>): Promise<T>
  /** Folder of one service, for as long as it runs. */
  folderOf(name: string): string
}

/** Opens the file in a folder, the checkout's own if none is named. */
export function openStateFile(folder = servicesFolder()): StateFile {
  const file = join(folder, 'state.json')
  const readAll = async (): Promise<State> => JSON.parse(await readFile(file, 'utf8').catch(() => '{}')) as State
  const change = (alter: (state: State) => State): Promise<void> =>
    withLock(`${file}.lock`, {}, async () => {
      const next = alter(await readAll())
      if (Object.keys(next).length === 0) return rm(file, { force: true })
      // Whoever reads meanwhile finds the old one or the new one. It holds passwords of servers of this machine.
      await writeFile(`${file}.next`, `${JSON.stringify(next, null, 2)}\n`, { mode: 0o600 })
      await rename(`${file}.next`, file)
    })
  return {
    read: async (name) => (await readAll())[name],
    names: async () => Object.keys(await readAll()),
    write: (name, record) => change((state) => ({ ...state, [name]: record })),
    remove: (name) => change(({ [name]: _gone, ...rest }) => rest),
    alone: (name, onWait, work) => withLock(join(folder, `${name}.lock`), { onWait }, work),
    folderOf: (name) => join(folder, `run-${name}`),
  }
}
