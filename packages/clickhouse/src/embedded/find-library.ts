import { createRequire } from 'node:module'
import { ConfigurationError } from '@smart-whale/interfaces'
import type { ClickHouseErrorCode } from '../errors.ts'

const PLATFORMS = ['linux-x64', 'linux-arm64', 'darwin-x64', 'darwin-arm64']

/**
 * Path of libchdb, the shared library that holds ClickHouse.
 * @throws ConfigurationError `ERR_CLICKHOUSE_UNSUPPORTED_PLATFORM` or `ERR_CLICKHOUSE_MISSING_PEER`, with the remedy
 */
export function findLibrary(platform: string = `${process.platform}-${process.arch}`, resolve: (name: string) => unknown = requirePeer): string {
  if (!PLATFORMS.includes(platform)) {
    throw new ConfigurationError<ClickHouseErrorCode>(
      `the embedded ClickHouse has no binary for ${platform} (it has ${PLATFORMS.join(', ')}); ${
        platform.startsWith('win32') ? 'run it inside WSL 2' : 'use one of these'
      }, or connect to a ClickHouse server by its address`,
      { code: 'ERR_CLICKHOUSE_UNSUPPORTED_PLATFORM', context: { platform } },
    )
  }
  peer('ffi-rs', resolve)
  const { tryResolveLibchdb } = peer('chdb/libchdb', resolve) as { tryResolveLibchdb(): { path: string } | undefined }
  const found = tryResolveLibchdb()
  if (found) return found.path
  throw new ConfigurationError<ClickHouseErrorCode>(
    `the embedded ClickHouse is installed without its library for ${platform}: optional dependencies were left out, or the C library is musl; install "chdb" again with optional dependencies on a glibc system`,
    { code: 'ERR_CLICKHOUSE_MISSING_PEER', context: { platform, package: 'chdb' } },
  )
}

function peer(name: string, resolve: (name: string) => unknown): unknown {
  try {
    return resolve(name)
  } catch (cause) {
    const packageName = name.split('/')[0]
    throw new ConfigurationError<ClickHouseErrorCode>(
      `the embedded ClickHouse needs the package "${packageName}", which can't be loaded; add it: npm install chdb ffi-rs`,
      { code: 'ERR_CLICKHOUSE_MISSING_PEER', cause, context: { package: packageName } },
    )
  }
}

function requirePeer(name: string): unknown {
  return createRequire(import.meta.url)(name) as unknown
}
