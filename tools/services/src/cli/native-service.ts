import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { findProcess, isAlive } from '../../../toolchain/process-table.mjs'
import type { Progress } from '../install-once.ts'
import { signalTree } from '../process-tree.ts'
import type { ServiceDefinition, Variables } from '../service-catalogue.ts'
import { ServiceError } from '../service-error.ts'
import type { HostReport } from './host-process.ts'
import type { ProcessMark, ServiceRecord, StateFile } from './state-file.ts'

type NativeRecord = Extract<ServiceRecord, { kind: 'native' }>

const PROGRAM = fileURLToPath(new URL('./host-process.ts', import.meta.url))
const SHUTDOWN_MS = 20_000
const REAPED_MS = 3_000
const POLL_MS = 50

/** Starts a service of this machine in the background, and notes it. @throws ServiceError when it can't be had; nothing is left then */
export async function startNative({ name }: ServiceDefinition, state: StateFile, progress: Progress): Promise<Variables> {
  const folder = state.folderOf(name)
  await mkdir(folder, { recursive: true })
  const log = openSync(join(folder, 'host.log'), 'a')
  const child = spawn(process.execPath, ['--conditions=@smart-whale/source', PROGRAM, name, folder], { stdio: ['ignore', log, log, 'ipc'], detached: true })
  closeSync(log)
  const host = markOf(child.pid)
  const since = new Date().toISOString()
  try {
    await state.write(name, { kind: 'native', host, servers: [], since })
    const { variables, pids } = await becomeReady(child, name, progress)
    child.unref()
    await state.write(name, { kind: 'native', host, servers: pids.map(markOf), variables, since })
    return variables
  } catch (error) {
    await endNative(name, { kind: 'native', host, servers: [], since }, state)
    throw error
  }
}

/** Ends a service and all that is left of it. Processes that were given the same numbers later are left alone. */
export async function endNative(name: string, { host, servers }: NativeRecord, state: StateFile): Promise<void> {
  if (isAlive(host)) send(host.pid, 'SIGTERM')
  await untilGone([host], SHUTDOWN_MS)
  if (isAlive(host)) signalTree(host.pid, 'SIGKILL')
  // A host that was killed leaves its servers to its reaper; without one they are ended here.
  await untilGone(servers, isAlive(host) ? 0 : REAPED_MS)
  for (const server of servers.filter(isAlive)) signalTree(server.pid, 'SIGKILL')
  await untilGone([host, ...servers], REAPED_MS)
  await rm(state.folderOf(name), { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
  await state.remove(name)
}

/** Whether a record stands for a service that its host still runs. */
export function isHosted({ host }: NativeRecord): boolean {
  return isAlive(host)
}

function becomeReady(child: ChildProcess, name: string, progress: Progress): Promise<Extract<HostReport, { kind: 'ready' }>> {
  return new Promise((resolve, reject) => {
    const fail = (message: string): void => reject(new ServiceError(`${name} can't be brought up: ${message}`, { code: 'ERR_SERVICES_START_FAILED', remedy: 'nothing of it is left running' }))
    child.on('message', (message) => {
      const said = message as HostReport
      if (said.kind === 'progress') progress(said.line)
      if (said.kind === 'failed') fail(said.message)
      if (said.kind === 'ready') resolve(said)
    })
    child.once('error', (error) => fail(error.message))
    child.once('exit', (code, signal) => fail(`its process ended (${signal ?? code})`))
  })
}

async function untilGone(processes: readonly ProcessMark[], limitMs: number): Promise<void> {
  const deadline = Date.now() + limitMs
  while (processes.some(isAlive) && Date.now() < deadline) await sleep(POLL_MS)
}

function markOf(pid: number | undefined): ProcessMark {
  return { pid: pid ?? 0, startedAt: findProcess(pid ?? 0)?.startedAt ?? 'gone' }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It ended by itself in the meantime.
  }
}
