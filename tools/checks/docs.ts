// Prevents: links that lead nowhere, and a README that tells its reader to type a command which does not exist.
import { existsSync } from 'node:fs'
import { join, posix } from 'node:path'
import type { Check } from './check.ts'
import { anchorsOf, lineAt, proseOf } from './markdown.ts'
import type { Workspace } from './workspace.ts'

/** npm's own verbs that need no `run`. */
const SHORTHANDS = ['start', 'test', 'stop', 'restart']

export const docs: Check = {
  name: 'links and commands in the docs',
  run(workspace) {
    const pages = workspace.files(['*.md', '{packages,apps,tools,docs,docker,examples}/**/*.md'])
    return pages.flatMap((page) => [...brokenLinks(page, workspace), ...unknownCommands(page, workspace)])
  },
}

function brokenLinks(page: string, workspace: Workspace): string[] {
  const text = proseOf(workspace.read(page))
  return [...text.matchAll(/\]\(<?([^)>\s]+)>?(?:\s+"[^"]*")?\)|<img[^>]+src="([^"]+)"/g)].flatMap((match) => {
    const link = decodeURI(match[1] ?? match[2] ?? '')
    if (/^[a-z][a-z+.-]*:/i.test(link)) return []
    const problem = problemOfLink(page, link, workspace)
    return problem === undefined ? [] : [`${page}:${lineAt(text, match.index)}: ${problem}`]
  })
}

function problemOfLink(page: string, link: string, workspace: Workspace): string | undefined {
  const [path = '', anchor] = link.split('#', 2)
  const target = path === '' ? page : posix.normalize(path.startsWith('/') ? path.slice(1) : posix.join(posix.dirname(page), path))
  if (!existsSync(join(workspace.root, target))) return `there is no ${target}`
  if (anchor === undefined || !target.endsWith('.md')) return undefined
  return anchorsOf(workspace.read(target)).has(anchor) ? undefined : `${target} has no heading #${anchor}`
}

function unknownCommands(page: string, workspace: Workspace): string[] {
  const text = workspace.read(page)
  const scripts = workspace.manifest.scripts ?? {}
  return [...text.matchAll(/\bnpm (?:run ([\w:.-]*[\w])|(start|test|stop|restart)\b)/g)].flatMap((match) => {
    const name = match[1] ?? match[2] ?? ''
    if (name in scripts) return []
    return [`${page}:${lineAt(text, match.index)}: there is no \`npm ${SHORTHANDS.includes(name) ? name : `run ${name}`}\``]
  })
}
