import { rmSync } from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import { apiPages } from './api-surface.ts'
import { architecture } from './architecture.ts'
import { arrows } from './arrows.ts'
import { cycles } from './cycles.ts'
import { docs } from './docs.ts'
import { errorCodes } from './error-codes.ts'
import { makeWorkspace, packageManifest } from './make-workspace.ts'
import { manifests } from './manifests.ts'
import { optionsDocumented } from './options-documented.ts'
import type { Workspace } from './workspace.ts'

let made: Workspace[] = []
afterEach(() => {
  for (const { root } of made) rmSync(root, { recursive: true, force: true })
  made = []
})
function workspace(files: Record<string, string | object>): Workspace {
  const one = makeWorkspace(files)
  made.push(one)
  return one
}
const contract = { 'packages/interfaces/package.json': packageManifest('interfaces', 'contract') }

describe('arrows', () => {
  const cache = { 'packages/core-cache/package.json': packageManifest('core-cache', 'core') }
  const data = (more: object) => ({ 'packages/clickhouse/package.json': packageManifest('clickhouse', 'data', more) })
  const optional = { peerDependenciesMeta: { '@smart-whale/core-cache': { optional: true } } }

  it('lets a data package need the contracts, and a core package as an optional peer', () => {
    const files = data({
      dependencies: { '@smart-whale/interfaces': 'workspace:^' },
      peerDependencies: { '@smart-whale/core-cache': 'workspace:^' },
      ...optional,
    })

    expect(arrows.run(workspace({ ...contract, ...cache, ...files }))).toEqual([])
  })

  it('refuses a core package as a dependency of a data package, and names the way out', () => {
    const files = data({ dependencies: { '@smart-whale/core-cache': 'workspace:^' } })

    expect(arrows.run(workspace({ ...cache, ...files }))).toEqual([
      'packages/clickhouse/package.json: layer:data may not depend on @smart-whale/core-cache: make it an optional peer',
    ])
  })

  it('refuses a peer that is not optional', () => {
    expect(arrows.run(workspace({ ...cache, ...data({ peerDependencies: { '@smart-whale/core-cache': 'workspace:^' } }) }))).toHaveLength(1)
  })

  it('refuses contracts that need anything, be it for their tests', () => {
    const files = {
      'packages/interfaces/package.json': packageManifest('interfaces', 'contract', {
        devDependencies: { '@smart-whale/core-cache': 'workspace:*' },
      }),
    }

    expect(arrows.run(workspace({ ...cache, ...files }))).toHaveLength(1)
  })

  it('refuses a project without a layer', () => {
    expect(arrows.run(workspace({ 'apps/one/package.json': { name: '@smart-whale/one' } }))).toEqual([
      expect.stringContaining('needs exactly one of the tags'),
    ])
  })
})

describe('manifests', () => {
  const problemsWith = (more: object) => manifests.run(workspace({ 'packages/a/package.json': packageManifest('a', 'core', more) }))

  it('is content with a manifest that follows the rules', () => {
    expect(problemsWith({ dependencies: { zod: 'catalog:', '@smart-whale/interfaces': 'workspace:^' } })).toEqual([])
  })

  it.each([
    ['a version of its own', { version: '0.2.0' }],
    ['a library past the catalog', { dependencies: { zod: '^4' } }],
    ['one of ours by a number', { dependencies: { '@smart-whale/interfaces': '^0.1.0' } }],
    ['one of ours by an exact version', { dependencies: { '@smart-whale/interfaces': 'workspace:*' } }],
    ['another engines range', { engines: { node: '>=20' } }],
    ['side effects', { sideEffects: true }],
    ['no license', { license: undefined }],
    ['files without the README', { files: ['dist'] }],
  ])('refuses %s', (_title, more) => {
    expect(problemsWith(more)).toHaveLength(1)
  })

  it('refuses published exports that differ from the ones that are developed against', () => {
    const built = { import: './dist/index.js', require: './dist/index.cjs' }
    const exports = { '.': { ...built, '@smart-whale/source': './src/index.ts' }, './package.json': './package.json' }

    expect(problemsWith({ exports })).toEqual([expect.stringContaining('must come first')])
    expect(problemsWith({ publishConfig: { access: 'public', exports: { '.': built } } })).toEqual([
      expect.stringContaining('publishConfig.exports must be'),
    ])
  })
})

describe('cycles', () => {
  const sources = (files: Record<string, string>) =>
    workspace({
      ...contract,
      ...Object.fromEntries(Object.entries(files).map(([name, text]) => [`packages/interfaces/src/${name}.ts`, text])),
    })

  it('shows the way around', () => {
    const files = sources({ a: `import { b } from './b.ts'`, b: `export { c } from './c.ts'`, c: `import { a } from './a.ts'` })

    expect(cycles.run(files)).toEqual([expect.stringMatching(/a\.ts → .*b\.ts → .*c\.ts → .*a\.ts$/)])
  })

  it('sees a module that goes through its own package', () => {
    expect(cycles.run(sources({ index: `export { a } from './a.ts'`, a: `import { x } from '@smart-whale/interfaces'` }))).toHaveLength(1)
  })

  it('leaves imports alone that are gone, or come later, when the program runs', () => {
    const files = sources({
      a: `import type { B } from './b.ts'\nexport type { C } from './b.ts'`,
      b: `import { a } from './a.ts'; const c = () => import('./c.ts')`,
      c: `import { b } from './b.ts'`,
    })

    expect(cycles.run(files)).toEqual([])
  })
})

describe('errorCodes', () => {
  const errors = { 'packages/interfaces/src/errors.ts': `export type InterfaceErrorCode = 'ERR_A' | 'ERR_B'\ntype Other = 'ERR_NOT'` }
  const readme = (text: string) => workspace({ ...contract, ...errors, 'packages/interfaces/README.md': text })

  it('finds a code that the README forgot, and one that it made up', () => {
    expect(errorCodes.run(readme('# x\n## Use\n`ERR_B`\n## Errors\n`ERR_A` and `ERR_OLD`\n## Test\n'))).toEqual([
      'packages/interfaces/README.md: ERR_B is missing from "## Errors"',
      'packages/interfaces/README.md: ERR_OLD is documented, but no package defines it',
    ])
  })

  it('is content when each stands there', () => {
    expect(errorCodes.run(readme('## Errors\n| `ERR_A` | `ERR_B` |\n'))).toEqual([])
  })

  it('misses the section', () => {
    expect(errorCodes.run(readme('# x\n'))).toEqual(['packages/interfaces/README.md: has no section "## Errors"'])
  })
})

describe('architecture', () => {
  const page = (text: string) =>
    architecture.run(workspace({ 'ARCHITECTURE.md': text, 'packages/a/src/x.ts': '', 'packages/a/src/y.ts': '' }))

  it('follows each path in backticks, with a line number or a star', () => {
    expect(page('`packages/a/src/x.ts`, `packages/a/src/x.ts:12`, `packages/a/src`, `packages/*/src/y.ts`, `text/html`')).toEqual([])
  })

  it('says on which line a path leads nowhere', () => {
    expect(page('one\n`packages/a/src/gone.ts` and `packages/*/z.ts`')).toEqual([
      'ARCHITECTURE.md:2: there is no packages/a/src/gone.ts',
      'ARCHITECTURE.md:2: there is no packages/*/z.ts',
    ])
  })
})

describe('docs', () => {
  const page = (text: string) => docs.run(workspace({ 'README.md': text, 'docs/guide.md': '# Guide\n## First steps, quickly\n' }))

  it('is content with links and commands that exist', () => {
    expect(page('[a](docs/guide.md#first-steps-quickly) [b](https://example.com) `npm test` `npm run api` ![c](./docs)')).toEqual([])
  })

  it('finds the file, the heading and the command that do not', () => {
    expect(page('[a](docs/gone.md)\n[b](docs/guide.md#second)\n[c](#here)\n`npm run tset`, `npm start`')).toEqual([
      'README.md:1: there is no docs/gone.md',
      'README.md:2: docs/guide.md has no heading #second',
      'README.md:3: README.md has no heading #here',
      'README.md:4: there is no `npm run tset`',
      'README.md:4: there is no `npm start`',
    ])
  })

  it('takes what a code block shows for what it is', () => {
    expect(page('```md\n[a](gone.md)\n```\n')).toEqual([])
  })
})

describe('optionsDocumented', () => {
  const problemsOf = (text: string, name = 'x.ts') => optionsDocumented.run(workspace({ [`packages/a/src/deep/${name}`]: text }))
  const options = (members: string) => problemsOf(`/** How. */\nexport interface XOptions {\n${members}\n}`)

  it('is content when each option says what it means, and what it is when left out', () => {
    expect(options('/** How long. @default 5 */\nwaitMs?: number\n/** Where. */\nreadonly folder: string')).toEqual([])
  })

  it.each([
    ['a bare member', 'waitMs: number', 'XOptions.waitMs has no doc comment'],
    ['a bare method', 'connect(): void', 'XOptions.connect has no doc comment'],
    ['an index signature', '[name: string]: number', 'XOptions.[name] has no doc comment'],
    ['a comment that is none of the docs', '// How long.\nwaitMs: number', 'XOptions.waitMs has no doc comment'],
    ['nothing but a default', '/** @default 5 */\nwaitMs?: number', 'XOptions.waitMs does not say what it means'],
    ['an optional member without a default', '/** How long. */\nwaitMs?: number', 'XOptions.waitMs may be left out, but has no @default'],
  ])('refuses %s', (_title, member, problem) => {
    expect(options(member)).toEqual([expect.stringMatching(/^packages\/a\/src\/deep\/x\.ts:[34]: /)])
    expect(options(member)[0]).toContain(problem)
  })

  it.each(['interface XConfig { a: 1 }', 'interface XParams { a: 1 }', 'interface XSettings { a: 1 }', 'type XOptions = { a: 1 }', 'type XSettings = Y & { a: 1 }'])(
    'looks into %s',
    (declaration) => {
      expect(problemsOf(`/** How. */\nexport ${declaration}`)).toEqual([expect.stringMatching(/X\w+\.a has no doc comment$/)])
    },
  )

  it('leaves other types, hidden ones and tests alone', () => {
    expect(problemsOf('/** What. */\nexport interface Row { a: 1 }\ninterface XOptions { a: 1 }\nconst x = 1')).toEqual([])
    expect(problemsOf('export interface XOptions { a: 1 }', 'x.test.ts')).toEqual([])
  })

  it.each(['interface One {}', 'type One = 1', 'class One {}', 'function One() {}', 'const One = 1', 'abstract class One {}', 'async function One() {}'])(
    'wants a comment on an exported %s',
    (declaration) => {
      expect(problemsOf(`/** The one. */\nexport ${declaration}`)).toEqual([])
      expect(problemsOf(`// The one.\nexport ${declaration}`)).toEqual(['packages/a/src/deep/x.ts:2: One has no doc comment'])
    },
  )

  it('takes the comment of one overload for all of them', () => {
    expect(problemsOf('/** Doubles. */\nexport function f(a: 1): 2\nexport function f(a: 2): 4\nexport function f(a: number) { return a * 2 }')).toEqual([])
  })
})

describe('apiPages', () => {
  it('lists each export with its kind and the first line of its comment', () => {
    const source = `/** Makes a cache.\n * More. */\nexport const createCache = (): Cache => ({ size: 0 })\n/** A | B */\nexport interface Cache { size: number }\nexport { LIMIT } from './limit.ts'\n`
    const files = workspace({
      ...contract,
      'packages/interfaces/src/index.ts': source,
      'packages/interfaces/src/limit.ts': '/** The most. */\nexport const LIMIT = 3\n',
    })

    expect(apiPages(files).get('packages/interfaces/api.md')).toContain(
      ['| `Cache` | interface | A \\| B |', '| `LIMIT` | const | The most. |', '| `createCache` | function | Makes a cache. |'].join('\n'),
    )
  })
})
