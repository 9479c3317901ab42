/** The text outside of fenced code blocks, its lines kept in place. */
export function proseOf(markdown: string): string {
  return markdown.replace(/^( *)(```|~~~)[\s\S]*?^\1\2[ \t]*$/gm, (block) => block.replace(/[^\n]/g, ''))
}

/** The 1-based line that an offset lies on. */
export function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length
}

/** What stands below a `## title`, up to the next heading of that size. */
export function sectionOf(markdown: string, title: string): string | undefined {
  const parts = markdown.split(/^## +/m)
  const found = parts.slice(1).find((part) => part.split('\n', 1)[0]?.trim().toLowerCase() === title.toLowerCase())
  return found?.slice(found.indexOf('\n') + 1)
}

/** What GitHub calls the anchors of a page's headings. */
export function anchorsOf(markdown: string): Set<string> {
  const anchors = new Set<string>()
  for (const [, heading = ''] of proseOf(markdown).matchAll(/^#{1,6} +(.+?)\s*#*$/gm)) {
    const slug = heading
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .replace(/<[^>]*>/g, '')
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replace(/\s/g, '-')
    let unique = slug
    for (let n = 1; anchors.has(unique); n++) unique = `${slug}-${n}`
    anchors.add(unique)
  }
  for (const [, id = ''] of markdown.matchAll(/<a (?:id|name)="([^"]+)"/g)) anchors.add(id)
  return anchors
}
