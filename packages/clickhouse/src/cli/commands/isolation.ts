import { ConfigurationError } from '@smart-whale/interfaces'
import { checkIsolation, type IsolatedTable } from '../../access/check-isolation.ts'
import { createAdapter } from '../../create-adapter.ts'
import { asJson, type Command, EXIT, textOf, textsOf } from '../command.ts'

/** Tries to read as one tenant what belongs to another. */
export const checkIsolationCommand: Command = {
  name: 'check-isolation',
  summary: "Tries, on your tables, to read as one tenant what belongs to another",
  usage: 'TABLE:TENANT_COLUMN… --as-url URL [--tenant NAME]…',
  help: `  --as-url URL       how tenants' queries log in: http://user:password@host:port/database; the connection itself has to see all rows
  --tenant NAME      tries this one; give two at least (the three with most rows of each table)

The tenant goes along as the header that createAccessControl's row policies read. It reads only.`,
  exits: { [EXIT.found]: 'a tenant reached rows of another, or not its own' },
  options: { 'as-url': { type: 'string' }, tenant: { type: 'string', multiple: true } },
  positionals: { least: 1, most: 50 },
  run: async (call) => {
    const url = textOf(call, 'as-url')
    if (url === undefined) throw new ConfigurationError('--as-url is missing: the login of tenants\' queries')
    const asTenants = createAdapter({ url })
    try {
      const report = await checkIsolation({
        owner: call.adapter,
        tables: call.positionals.map(tableOf),
        tenants: textsOf(call, 'tenant'),
        adapterFor: (tenant) => async (query, params) => (await asTenants.execute(query, params, { tenant, signal: call.signal })).rows,
      })
      if (call.json) call.print(asJson(report))
      else for (const line of [...report.findings.map(({ table, tenant, probe, what }) => `${table}, as ${tenant ?? 'nobody'}: ${probe}: ${what}`), `${report.probes} probes, ${report.findings.length} findings`]) call.print(line)
      return report.findings.length > 0 ? EXIT.found : EXIT.ok
    } finally {
      await asTenants.close()
    }
  },
}

function tableOf(text: string): IsolatedTable {
  const at = text.lastIndexOf(':')
  if (at <= 0 || at === text.length - 1) throw new ConfigurationError(`"${text}" has to be TABLE:TENANT_COLUMN`)
  return { table: text.slice(0, at), tenantColumn: text.slice(at + 1) }
}
