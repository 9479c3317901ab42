import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { errorPage, errorReference } from './error-reference.ts'
import { makeWorkspace, packageManifest } from './make-workspace.ts'
import type { Workspace } from './workspace.ts'

const README = ['# Cache', '', '## Errors', '', '| code | when | what to do |', '|---|---|---|', '| `ERR_KEY`, `ERR_LIFE` | a \\| b | mend it |', '', '## Test', ''].join('\n')
const made: Workspace[] = []

function workspaceOf(readme: string): Workspace {
  const workspace = makeWorkspace({
    'packages/cache/package.json': packageManifest('cache', 'core'),
    'packages/cache/README.md': readme,
    'packages/cache/src/errors.ts': "export type CacheErrorCode = 'ERR_LIFE' | 'ERR_KEY'",
    'packages/plain/package.json': packageManifest('plain', 'core'),
    'packages/plain/README.md': '# Plain\n',
  })
  made.push(workspace)
  return workspace
}

afterEach(() => {
  for (const { root } of made.splice(0)) rmSync(root, { recursive: true, force: true })
})

describe('the page of error codes', () => {
  it('has a row for each code of each package, with what its README says', () => {
    const page = errorPage(workspaceOf(README))

    expect(page).toContain('## @smart-whale/cache\n')
    expect(page).toContain('| code | when | what to do |\n|---|---|---|\n| `ERR_KEY` | a \\| b | mend it |\n| `ERR_LIFE` | a \\| b | mend it |\n')
    expect(page).not.toContain('@smart-whale/plain')
  })

  it('keeps a code that no README explains', () => {
    expect(errorPage(workspaceOf('# Cache\n'))).toContain('| `ERR_KEY` |  |')
  })

  it('is stale when it is missing or different, and not when it is as it would be written', () => {
    const workspace = workspaceOf(README)
    expect(errorReference.run(workspace)).toEqual([expect.stringMatching(/docs\/reference\/errors\.md: is stale/)])

    mkdirSync(join(workspace.root, 'docs/reference'), { recursive: true })
    writeFileSync(join(workspace.root, 'docs/reference/errors.md'), errorPage(workspace))
    expect(errorReference.run(workspace)).toEqual([])
  })
})
