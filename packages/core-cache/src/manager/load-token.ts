import { randomBytes } from 'node:crypto'

const POOL = 1024
const BYTES = 16
let pool = Buffer.alloc(0)
let at = 0

/** A random name of 22 characters, which nobody else has had. */
export function newToken(): string {
  if (at + BYTES > pool.length) {
    pool = randomBytes(POOL * BYTES)
    at = 0
  }
  at += BYTES
  return pool.toString('base64url', at - BYTES, at)
}
