import { z } from 'zod'

/** One of several servers. What it leaves out is as it is for all of them. */
export interface ClickHouseServer {
  /** Name or address of the server. @default the host of all: 'localhost' */
  host?: string | undefined
  /** HTTP port, not the native one. @default the port of all: 8123, or 8443 with `secure` */
  port?: number | undefined
  /** Whether to speak TLS. @default as for all: false */
  secure?: boolean | undefined
  /** User to log in as. @default the user of all: 'default' */
  user?: string | undefined
  /** The user's password. @default the password of all: '' */
  password?: string | undefined
  /** Share of the calls that it is to get, against the others'. @default 1 */
  weight?: number | undefined
}

/** A server in a checked configuration. */
export const serverSchema = z.strictObject({
  host: z.string().min(1).optional(),
  port: z.number().int().min(1).max(65535).optional(),
  secure: z.boolean().optional(),
  user: z.string().min(1).optional(),
  password: z.string().optional(),
  weight: z.number().positive().optional(),
})

/**
 * One address for each server that a DSN or a list names: `http://me:secret@a:8123,b:8123/app` are two servers with the same
 * login and database; so are two whole addresses with a comma between them.
 */
export function splitAddresses(text: string): string[] {
  return text.split(/\s*,\s*(?=[a-z]+:\/\/)/i).flatMap((part) => {
    // Commas of a password stand before the last @, those of a database behind the first slash.
    const [, scheme, login = '', hosts, rest] = /^([a-z]+:\/\/)([^/?#]*@)?([^/?#]*)(.*)$/is.exec(part) ?? []
    if (scheme === undefined || hosts === undefined) return part.split(',').map((address) => address.trim())
    return hosts.split(',').map((host) => `${scheme}${login}${host.trim()}${rest}`)
  })
}

/** Whether an address says how it is spoken to, or is just `host` or `host:port`. */
export function namesScheme(address: string): boolean {
  return /^[a-z]+:\/\//i.test(address)
}
