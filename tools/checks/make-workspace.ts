import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { openWorkspace, type Manifest, type Workspace } from './workspace.ts'

/** For the tests of the checks: a small workspace on the disk, from file names to their text. Remove its `root` afterwards. */
export function makeWorkspace(files: Record<string, string | object>): Workspace {
  const root = mkdtempSync(join(tmpdir(), 'workspace-'))
  for (const [file, content] of Object.entries({
    'package.json': { name: 'root', version: '0.1.0', scripts: { test: 'x', api: 'x' } },
    ...files,
  })) {
    mkdirSync(dirname(join(root, file)), { recursive: true })
    writeFileSync(join(root, file), typeof content === 'string' ? content : JSON.stringify(content))
  }
  return openWorkspace(root)
}

/** A manifest of a published package that every check is content with, changed by `more`. */
export function packageManifest(name: string, layer: string, more: Partial<Manifest> = {}): Manifest {
  const built = { import: './dist/index.js', require: './dist/index.cjs' }
  return {
    name: `@smart-whale/${name}`,
    version: '0.1.0',
    type: 'module',
    license: 'MIT',
    sideEffects: false,
    engines: { node: '^22.22 || >=24.6' },
    files: ['dist', 'README.md'],
    exports: { '.': { '@smart-whale/source': './src/index.ts', ...built }, './package.json': './package.json' },
    publishConfig: { access: 'public', exports: { '.': built, './package.json': './package.json' } },
    nx: { tags: [`layer:${layer}`] },
    ...more,
  }
}
