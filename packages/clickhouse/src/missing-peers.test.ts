import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'

const run = promisify(execFile)
const PACKAGE = fileURLToPath(new URL('./index.ts', import.meta.url))

/** What a process prints in which the given package is not installed. */
async function without(missing: string, script: string): Promise<string> {
  const program = `
    import { registerHooks } from 'node:module'
    registerHooks({
      resolve(specifier, context, next) {
        if (specifier === '${missing}') throw Object.assign(new Error("Cannot find package '${missing}'"), { code: 'ERR_MODULE_NOT_FOUND' })
        return next(specifier, context)
      },
    })
    const clickhouse = await import(${JSON.stringify(PACKAGE)})
    ${script}`
  const { stdout } = await run(process.execPath, ['--conditions=@smart-whale/source', '--input-type=module', '--eval', program])
  return stdout.trim()
}

describe('an optional package that is not installed', () => {
  it('is named when answers are to be kept there', async () => {
    const printed = await without(
      '@smart-whale/core-cache',
      "const service = clickhouse.createAnalyticsService(clickhouse.createAdapter({}))\nawait service.executeAnalyticsQuery({ query: 'SELECT 1' }).catch((error) => console.log(error.code, error.message))\nawait service.close()",
    )

    expect(printed).toMatch(/^ERR_CLICKHOUSE_MISSING_PEER .*@smart-whale\/core-cache/)
  })

  it('is named when the GraphQL layer needs it', async () => {
    const printed = await without('graphql', 'await clickhouse.setupClickHouse().catch((error) => console.log(error.code, error.message))')

    expect(printed).toMatch(/^ERR_CLICKHOUSE_MISSING_PEER .*graphql/)
  })

  it.each(['@smart-whale/core-cache', 'graphql', 'mercurius', 'fastify', 'chdb', 'ffi-rs'])(
    'does not keep the package from loading: %s',
    async (missing) => {
      expect(await without(missing, 'console.log(typeof clickhouse.createAdapter)')).toBe('function')
    },
  )
})
