import { defineConfig } from 'tsup'

/** How every package is built: ESM, CJS and types of each entry, one file an entry plus shared chunks. */
export const packageBuild = (entry: Record<string, string>): ReturnType<typeof defineConfig> =>
  defineConfig({
    entry,
    format: ['esm', 'cjs'],
    dts: true,
    sourcemap: true,
    clean: true,
    // CJS output needs `import.meta.url` to find the files that ship beside it (child processes, migrations).
    shims: true,
    target: 'node22',
    tsconfig: 'tsconfig.json',
  })
