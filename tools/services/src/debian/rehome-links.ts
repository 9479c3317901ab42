import { readdir, readlink, rm, stat, symlink } from 'node:fs/promises'
import { join, relative } from 'node:path'

/** Lets links that lead to a place of the host (`/etc/…`) lead to the same place below `root`, where that is there. */
export async function rehomeLinks(root: string): Promise<void> {
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    if (!entry.isSymbolicLink()) continue
    const link = join(entry.parentPath, entry.name)
    const target = await readlink(link)
    if (!target.startsWith('/')) continue
    const inside = join(root, target)
    if (!(await stat(inside).then(() => true, () => false))) continue
    await rm(link)
    await symlink(relative(entry.parentPath, inside), link)
  }
}
