// Makes keys and a token for the apps: the private key stays with whoever issues tokens, the apps get a JWK set with the public one.
//   node --conditions=@smart-whale/source examples/secure/issue-token.ts [folder] [subject] [role]
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRolePolicy, createTokenIssuer, createTokenVerifier, exportJwkSet, importJwkSet, type JwkSet, loadOrCreateSigningKeys } from '@smart-whale/core-security'

const [folder = await mkdtemp(join(tmpdir(), 'smart-whale-keys-')), subject = 'alice', role = 'analyst'] = process.argv.slice(2)
await mkdir(folder, { recursive: true })

// Made on the first run (mode 600), found again later, so that tokens stay good.
const keys = await loadOrCreateSigningKeys({ path: join(folder, 'signing-key.json') })
const jwksFile = join(folder, 'jwks.json')
await writeFile(jwksFile, JSON.stringify(exportJwkSet(keys), null, 2))

const names = { issuer: 'https://auth.example.com', audience: 'smart-whale' }
const token = await createTokenIssuer({ ...names, keys, ttlSeconds: 3600 }).issue({ subject, roles: [role] })

// What the apps do with it.
const publicKeys = importJwkSet(JSON.parse(await readFile(jwksFile, 'utf8')) as JwkSet)
const principal = await createTokenVerifier({ ...names, keys: publicKeys }).verify(token)
const policy = createRolePolicy()
console.log(`${principal.subject} may query: ${policy.isAllowed(principal.roles, 'analytics:query')}, may write: ${policy.isAllowed(principal.roles, 'timeseries:write')}`)
console.log(`\nfor the apps:\nAUTH_JWKS_FILE=${jwksFile}\nAUTH_ISSUER=${names.issuer}\nAUTH_AUDIENCE=${names.audience}`)
console.log(`\nfor the caller, good for an hour:\nauthorization: Bearer ${token}`)
