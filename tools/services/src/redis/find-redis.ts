import { join } from 'node:path'
import type { Suite } from '../debian/private-apt.ts'
import { unpackPackages } from '../debian/unpack-packages.ts'
import type { Progress } from '../install-once.ts'

/** Builds of Redis and its kin that Debian carries. */
export type RedisBuild = 'redis-7' | 'redis-8' | 'valkey-8'

const BUILDS: Readonly<Record<RedisBuild, { readonly suite: Suite; readonly packages: readonly string[]; readonly program: string }>> = {
  'redis-7': { suite: 'bookworm', packages: ['redis-server', 'redis-tools'], program: 'redis-server' },
  'redis-8': { suite: 'trixie', packages: ['redis-server', 'redis-tools'], program: 'redis-server' },
  'valkey-8': { suite: 'trixie', packages: ['valkey-server', 'valkey-tools'], program: 'valkey-server' },
}

/** Finds the server's program in the cache, or brings Debian's. */
export async function findRedis(build: RedisBuild, progress?: Progress): Promise<string> {
  const { suite, packages, program } = BUILDS[build]
  const root = await unpackPackages({ name: `${build}-${suite}`, suite, packages, programs: ['usr/bin'], progress })
  return join(root, 'usr/bin', program)
}
