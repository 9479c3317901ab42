export function endTree(pid: number, options: { graceMs: number; asked?: boolean }): Promise<void>
