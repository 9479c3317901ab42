// Remembers two tokens, forgets them otherwise, and prints what a dump of the heap shows of them. What is searched for is kept as bytes, which a dump doesn't show.
import { getHeapSnapshot } from 'node:v8'
import { cacheVerifiedTokens, createTokenIssuer, createTokenVerifier, generateSigningKeys } from '@smart-whale/core-security'

const names = { issuer: 'https://issuer.test', audience: 'heap' }
const keys = await generateSigningKeys('ES256')
const verifier = createTokenVerifier({ ...names, keys })
const opaque = { subject: 'name-that-the-heap-shows', roles: [], expiresAt: Number.MAX_SAFE_INTEGER }
const cache = cacheVerifiedTokens({ verify: async (token) => (token.includes('.') ? verifier.verify(token) : opaque) })
const bytesOf = (text: string): Buffer => Buffer.from(text, 'latin1')

/** The tokens as text live in here alone. */
async function remember(): Promise<{ signed: Buffer; other: Buffer }> {
  const signed = await createTokenIssuer({ ...names, keys }).issue({ subject: 'name-that-the-heap-shows', roles: ['admin'] })
  const other = bytesOf(crypto.randomUUID().replaceAll('-', ''))
  await cache.verify(signed)
  await cache.verify(other.toString('latin1'))
  return { signed: bytesOf(signed), other }
}

async function dump(): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of getHeapSnapshot() as AsyncIterable<Buffer | string>) pieces.push(Buffer.from(piece))
  return Buffer.concat(pieces)
}

const { signed, other } = await remember()
await new Promise((resolve) => setImmediate(resolve))
// The engine keeps the text that a regular expression matched last, whoever asked: here the token, when it was verified. The next request replaces it.
'the next request'.replace(/(n)ext/, '')
globalThis.gc?.()
const heap = await dump()
const signature = signed.subarray(signed.lastIndexOf('.') + 1)
const found = {
  remembered: cache.known(signed.toString('latin1')) !== undefined && cache.known(other.toString('latin1')) !== undefined,
  namesFound: heap.includes('name-that-the-heap-shows'),
  signedTokenFound: heap.includes(signature.subarray(0, 40)) || heap.includes(signature.subarray(-40)),
  opaqueTokenFound: heap.includes(other),
}
process.stdout.write(JSON.stringify(found))
