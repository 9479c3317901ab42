import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { projectManifests } from './project-manifests.mjs'

describe('projectManifests', () => {
  let root
  beforeEach(() => (root = mkdtempSync(join(tmpdir(), 'manifests-'))))
  afterEach(() => rmSync(root, { recursive: true }))
  const project = (folder) => {
    mkdirSync(join(root, folder), { recursive: true })
    writeFileSync(join(root, folder, 'package.json'), '{}')
  }

  it('finds every project that the patterns lead to, and no other folder', () => {
    writeFileSync(
      join(root, 'pnpm-workspace.yaml'),
      'packages:\n  - packages/*\n  # a comment\n  - "apps/*"\n  - examples # whole\n\ncatalog:\n  - no/*\n',
    )
    for (const folder of ['packages/b', 'packages/a', 'apps/one', 'examples', 'no/never']) project(folder)
    mkdirSync(join(root, 'packages/without-manifest'))

    expect(projectManifests(root)).toEqual([
      'apps/one/package.json',
      'examples/package.json',
      'packages/a/package.json',
      'packages/b/package.json',
    ])
  })

  it('is content with a folder that does not exist yet', () => {
    writeFileSync(join(root, 'pnpm-workspace.yaml'), 'packages:\n  - tools/*\n')

    expect(projectManifests(root)).toEqual([])
  })
})
