// Which environment does the command get? The user's, without what npm adds for its own use, with calm defaults.

/** npm hands its whole configuration down; only what describes the network is meant for the tools below it. */
const KEPT_FROM_NPM = /^npm_config_(registry|proxy|https?_proxy|noproxy|cafile|strict_ssl|.+:registry)$/i
/** pnpm reads these under its own prefix only. (A `cafile` it takes from .npmrc, as npm does.) */
const ALSO_FOR_PNPM = /^npm_config_(registry|proxy|https?_proxy|noproxy|strict_ssl)$/i

const DEFAULTS = {
  NX_DAEMON: 'false', // a daemon would outlive the command
  NX_TUI: 'false',
  NX_NO_CLOUD: 'true',
  NODE_USE_SYSTEM_CA: '1', // a distribution's Node trusts the system's certificates by itself, the one from npm must be told
}

/** @param {NodeJS.ProcessEnv} source */
export function commandEnv(source) {
  const env = { ...DEFAULTS }
  for (const [name, value] of Object.entries(source)) {
    if (/^npm_/i.test(name) && !KEPT_FROM_NPM.test(name)) continue
    const forPnpm = ALSO_FOR_PNPM.exec(name)?.[1]?.toLowerCase()
    if (forPnpm !== undefined && value !== '') env[`pnpm_config_${forPnpm}`] = source[`pnpm_config_${forPnpm}`] ?? value
    env[/^path$/i.test(name) ? 'PATH' : name] = value // Windows spells it `Path`
  }
  return env
}
