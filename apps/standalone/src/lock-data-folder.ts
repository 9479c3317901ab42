import { createHash } from 'node:crypto'
import { mkdir, realpath, rm } from 'node:fs/promises'
import { createConnection, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ConfigurationError } from '@smart-whale/interfaces'

/** The right to use a data folder, until it is released or the process ends. */
export interface FolderLock {
  release(): Promise<void>
}

/**
 * Takes a data folder for this process. A socket and not a file with a process id: the system frees it when the process
 * ends, however it ends, and no later process can be taken for the owner.
 * @throws ConfigurationError when another process has the folder, or it can't be made
 */
export async function lockDataFolder(dataDir: string): Promise<FolderLock> {
  await mkdir(dataDir, { recursive: true }).catch((error: NodeJS.ErrnoException) => {
    throw new ConfigurationError(`the data folder ${dataDir} can't be made (${error.code}); give another one with --data`, { cause: error })
  })
  const address = addressOf(await realpath(dataDir))
  const server = (await listen(address)) ?? (await takeOver(address))
  if (server === null) throw new ConfigurationError(`the data folder ${dataDir} is in use by another Smart Whale; stop that one, or give another folder with --data`)
  server.unref()
  return { release: () => new Promise((resolve) => server.close(() => resolve())) }
}

/** On Linux and Windows the name lives in the kernel alone; elsewhere it is a file that a killed process leaves behind. */
function addressOf(folder: string): string {
  const name = `smart-whale-${createHash('sha256').update(folder).digest('hex').slice(0, 32)}`
  if (process.platform === 'linux') return `\0${name}`
  return process.platform === 'win32' ? `\\\\.\\pipe\\${name}` : join(tmpdir(), `${name}.sock`)
}

function listen(address: string): Promise<Server | null> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy())
    server.once('error', (error: NodeJS.ErrnoException) => (error.code === 'EADDRINUSE' ? resolve(null) : reject(error)))
    server.listen(address, () => resolve(server))
  })
}

/** Where the lock is a file: removes one that nobody answers on. */
async function takeOver(address: string): Promise<Server | null> {
  if (!address.startsWith('/') || (await answers(address))) return null
  await rm(address, { force: true })
  return listen(address)
}

function answers(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(address)
    const end = (alive: boolean): void => {
      socket.destroy()
      resolve(alive)
    }
    socket.setTimeout(1000, () => end(true))
    socket.once('connect', () => end(true))
    socket.once('error', () => end(false))
  })
}
