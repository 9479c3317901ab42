import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { FastifyInstance, FastifyPluginAsync } from 'fastify'

const HTML = 'text/html; charset=utf-8'
const SCRIPT = 'text/javascript; charset=utf-8'
const STYLE = 'text/css; charset=utf-8'

/** Nothing but this server: no outside address, no inline script. */
const POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"

/**
 * The public shells: the live page at `/` and GraphiQL at `/graphiql`. They hold no data and no secret;
 * what they show they ask for with the token of whoever looks at them.
 */
export const pageRoutes: FastifyPluginAsync = async (fastify) => {
  const own = (name: string): string => join(import.meta.dirname, 'assets', name)
  const library = libraryFiles()
  await serve(fastify, '/', HTML, own('index.html'))
  await serve(fastify, '/graphiql', HTML, own('graphiql.html'))
  await serve(fastify, '/page/icon.svg', 'image/svg+xml', own('icon.svg'))
  for (const name of ['page.js', 'charts.js', 'graphiql-shell.js']) await serve(fastify, `/page/${name}`, SCRIPT, own(name))
  for (const name of ['page.css', 'graphiql-shell.css']) await serve(fastify, `/page/${name}`, STYLE, own(name))
  for (const [name, path] of Object.entries(library)) await serve(fastify, `/page/${name}`, name.endsWith('.css') ? STYLE : SCRIPT, path)
}

function libraryFiles(): Record<string, string> {
  const require = createRequire(import.meta.url)
  const folder = (name: string): string => dirname(require.resolve(`${name}/package.json`))
  return {
    'uplot.js': join(folder('uplot'), 'dist/uPlot.iife.min.js'),
    'uplot.css': join(folder('uplot'), 'dist/uPlot.min.css'),
    'react.js': join(folder('react'), 'umd/react.production.min.js'),
    'react-dom.js': join(folder('react-dom'), 'umd/react-dom.production.min.js'),
    'graphiql.js': join(folder('graphiql'), 'graphiql.min.js'),
    'graphiql.css': join(folder('graphiql'), 'graphiql.min.css'),
  }
}

/** Files are few and small: read once at start, so that a missing one fails the start and not the first visitor. */
async function serve(fastify: FastifyInstance, url: string, contentType: string, path: string): Promise<void> {
  const body = await readFile(path)
  fastify.get(url, { schema: { hide: true } as object }, async (_request, reply) =>
    reply.header('content-security-policy', POLICY).header('cache-control', 'no-cache').type(contentType).send(body),
  )
}
