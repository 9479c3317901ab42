import { parentPort, workerData } from 'node:worker_threads'
import { persistentError } from '../../errors.ts'
import { FileDatabase } from './file-database.ts'
import type { FileFailure, FileReply, FileRequest, FileSettings, NumberedRequest } from './file-messages.ts'
import { sqliteCodeOf } from './open-database.ts'

// The thread that has the file: SQLite is synchronous, and nobody but this thread waits for the disk.

const settings = workerData as FileSettings
const reply = (message: FileReply): void => parentPort?.postMessage(message)
const database = new FileDatabase(settings, (event) => reply({ event }))

/** After a removal that failed: what is there may be what was to be removed, until the layer is opened anew and the removal asked for again. */
let refuses = true
let commitTimer: NodeJS.Timeout | undefined

// Node calls its SQLite experimental, once a process; whoever uses this package has no use for that.
process.removeAllListeners('warning')

parentPort?.on('message', ({ id, request }: NumberedRequest) => {
  try {
    if (refuses && request.kind !== 'open' && request.kind !== 'close') throw persistentError(`${request.kind} before it is opened again`, undefined)
    reply({ id, result: carryOut(request) })
  } catch (error) {
    refuses ||= request.kind !== 'read' && request.kind !== 'keys'
    reply({ id, failure: failureOf(error) })
    if (database.rebuildAfter(error)) refuses = true
  }
  if (request.kind === 'close') end()
  else commitSoon()
})

function carryOut(request: FileRequest): unknown {
  switch (request.kind) {
    case 'open': {
      const mark = database.open()
      refuses = false
      return mark
    }
    case 'read':
      return database.read(request.key, request.nowMs)
    case 'write':
      return database.write(request.key, request.entry, request.mark, request.nowMs)
    case 'remove':
      return database.remove(request.invalidation, request.mark, request.nowMs)
    case 'keys':
      return database.keysAfter(request.after, request.limit, request.nowMs)
    case 'cleanup':
      return database.cleanup(request.nowMs)
    case 'close':
      return database.close()
  }
}

/** Writes that come close to each other share a commit. */
function commitSoon(): void {
  if (!database.hasUncommitted || commitTimer !== undefined) return
  commitTimer = setTimeout(() => {
    commitTimer = undefined
    try {
      database.commit()
    } catch (error) {
      refuses = true
      database.rebuildAfter(error)
    }
  }, settings.commitEveryMs)
}

function end(): void {
  clearTimeout(commitTimer)
  parentPort?.close()
}

function failureOf(error: unknown): FileFailure {
  return { message: error instanceof Error ? error.message : String(error), sqliteCode: sqliteCodeOf(error), isUnsupported: process.getBuiltinModule?.('node:sqlite') === undefined }
}
