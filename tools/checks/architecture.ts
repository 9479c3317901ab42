// Prevents: an ARCHITECTURE.md that sends its reader to a file which was moved long ago.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Check } from './check.ts'
import { lineAt, proseOf } from './markdown.ts'

const FILE = 'ARCHITECTURE.md'
/** The first folder of a path decides whether backticks hold a path at all: `text/html` and `a/b` are none. */
const FOLDERS = /^(packages|apps|tools|docs|docker|examples|\.ci)\//

export const architecture: Check = {
  name: 'paths in ARCHITECTURE.md exist',
  run(workspace) {
    if (!existsSync(join(workspace.root, FILE))) return [`${FILE}: is missing`]
    const text = proseOf(workspace.read(FILE))
    return [...text.matchAll(/`([^`\n]+)`/g)].flatMap((match) => {
      const path = (match[1] ?? '').replace(/[:#].*$/, '')
      if (!FOLDERS.test(path) || path.includes('<')) return []
      const exists = path.includes('*') ? workspace.files([path]).length > 0 : existsSync(join(workspace.root, path))
      return exists ? [] : [`${FILE}:${lineAt(text, match.index)}: there is no ${path}`]
    })
  },
}
