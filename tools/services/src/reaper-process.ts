// Ends what its owner started when the owner is gone, however it died: its standard input closes then.
import { rmSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { descendantsOf, isAlive, type ProcessEntry } from '../../toolchain/process-table.mjs'
import type { ReaperCommand } from './reaper.ts'

const processes = new Map<number, ProcessEntry>()
const folders = new Set<string>()

function obey(command: ReaperCommand): void {
  if ('watch' in command) processes.set(command.watch.pid, command.watch)
  if ('forget' in command) processes.delete(command.forget)
  if ('remove' in command) folders.add(command.remove)
  if ('keep' in command) folders.delete(command.keep)
}

function reap(): void {
  for (const entry of processes.values()) {
    if (!isAlive(entry)) continue
    for (const { pid } of [entry, ...descendantsOf(entry.pid)]) kill(pid)
  }
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It ended by itself in the meantime.
  }
}

// A Ctrl-C is for the owner; we go when it has gone.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})
const input = createInterface({ input: process.stdin })
input.on('line', (line) => obey(JSON.parse(line) as ReaperCommand))
input.on('close', reap)
