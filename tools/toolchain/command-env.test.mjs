import { describe, expect, it } from 'vitest'
import { commandEnv } from './command-env.mjs'

describe('commandEnv', () => {
  it('drops what npm adds for itself and keeps what describes the network', () => {
    const env = commandEnv({
      npm_lifecycle_event: 'start',
      npm_config_user_agent: 'npm/11',
      npm_config_registry: 'https://registry.example/',
      npm_config_https_proxy: 'http://proxy.example:3128',
      npm_config_cafile: '/etc/ca.pem',
    })

    expect(
      Object.keys(env)
        .filter((name) => name.startsWith('npm_'))
        .sort(),
    ).toEqual(['npm_config_cafile', 'npm_config_https_proxy', 'npm_config_registry'])
  })

  it('tells pnpm the registry and the proxy in its own words, unless it was told already', () => {
    const env = commandEnv({
      npm_config_registry: 'https://a.example/',
      NPM_CONFIG_PROXY: 'http://b.example',
      pnpm_config_proxy: 'http://c.example',
    })

    expect(env).toMatchObject({ pnpm_config_registry: 'https://a.example/', pnpm_config_proxy: 'http://c.example' })
  })

  it('keeps what the user decided against a default', () => {
    expect(commandEnv({ NX_DAEMON: 'true' })).toMatchObject({ NX_DAEMON: 'true', NX_TUI: 'false', NODE_USE_SYSTEM_CA: '1' })
  })

  it('spells PATH one way', () => {
    expect(commandEnv({ Path: 'C:\\bin' })).toHaveProperty('PATH', 'C:\\bin')
  })
})
