// Who holds the lock, and do they still live?
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { findProcess } from './process-table.mjs'
import { SetupError } from './setup-error.mjs'

/**
 * @typedef {{ pid: number, startedAt: string | undefined }} Identity one process, and no later one with the same number
 * @typedef {Identity & { host: string, child?: Identity }} Owner
 * @typedef {{ modifiedAt: number, owner: Owner | undefined }} LockFile `owner` is missing while the file is being written
 */

/** Only judges owners that we cannot look at: on another host, or killed between creating the file and writing it. */
export const SILENT_MS = 30_000

/** @returns {Identity} */
export function identityOf(pid) {
  return { pid, startedAt: findProcess(pid)?.startedAt }
}

/** @returns {boolean} false when somebody holds it */
export function createLockFile(path, owner) {
  try {
    writeFileSync(path, JSON.stringify(owner), { flag: 'wx' })
    return true
  } catch (error) {
    if (error.code === 'EEXIST') return false
    throw new SetupError(`cannot write ${path}: ${error.message}`)
  }
}

/** @returns {LockFile | undefined} undefined when nobody holds it */
export function readLockFile(path) {
  const since = modifiedAt(path)
  if (since === undefined) return undefined
  try {
    return { modifiedAt: since, owner: parse(readFileSync(path, 'utf8')) }
  } catch {
    return undefined // released in this very moment
  }
}

/** @param {LockFile} lock */
export function isStale({ owner, modifiedAt }) {
  if (owner === undefined || owner.host !== hostname()) return Date.now() - modifiedAt > SILENT_MS
  const found = findProcess(owner.pid)
  if (found !== undefined) return found.startedAt !== owner.startedAt
  return process.platform !== 'win32' || !answers(owner.pid)
}

export function modifiedAt(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs
}

function answers(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}

function parse(text) {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
