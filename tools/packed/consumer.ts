import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { entryPointsOf } from '../checks/workspace.ts'
import { exec, mustExec } from './exec.ts'
import type { Parcel } from './parcel.ts'

/** An empty project outside the workspace, into which parcels are installed as a user would. */
export interface Consumer {
  folder: string
  parcels: readonly Parcel[]
}

export interface ConsumerOptions {
  /** What is added by name; ours that it needs in turn are found through `overrides`, being published nowhere yet. */
  parcels: readonly Parcel[]
  all: readonly Parcel[]
  /** From the registry, as `name@version`. */
  libraries?: readonly string[]
  /** Whether a library may bring a build script that has not been allowed. */
  ignoreScripts?: boolean
}

/** @throws Error with what pnpm said */
export async function makeConsumer(
  folder: string,
  { parcels, all, libraries = [], ignoreScripts = false }: ConsumerOptions,
): Promise<Consumer> {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'consumer', private: true, type: 'module' }))
  const overrides = all.map((parcel) => `  '${parcel.project.manifest.name}': 'file:${parcel.tarball}'`)
  writeFileSync(join(folder, 'pnpm-workspace.yaml'), ['overrides:', ...overrides, ''].join('\n'))
  const flags = ['--prefer-offline', ...(ignoreScripts ? ['--ignore-scripts'] : [])]
  await mustExec('pnpm', ['add', ...flags, ...parcels.map((parcel) => parcel.tarball), ...libraries], { cwd: folder })
  return { folder, parcels }
}

/** Every way into the consumer's packages. */
export function specifiersOf(parcels: readonly Parcel[]): string[] {
  return parcels.flatMap((parcel) => entryPointsOf(parcel.project).map((entry) => entry.specifier))
}

/**
 * Type-checks a consumer that uses these entry points, from an ESM and from a CommonJS module.
 * The packages' own declarations are checked too (`skipLibCheck` is off), those that come with the compiler and other libraries' are not our business.
 */
export async function typeProblems({ folder }: Consumer, specifiers: readonly string[]): Promise<string[]> {
  const use = specifiers
    .map((specifier, n) => `import * as entry${n} from '${specifier}'\nexport type Keys${n} = keyof typeof entry${n}\n`)
    .join('')
  writeFileSync(join(folder, 'esm.mts'), use)
  writeFileSync(join(folder, 'commonjs.cts'), use)
  const compilerOptions = {
    module: 'NodeNext',
    target: 'ES2023',
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    skipLibCheck: false,
    skipDefaultLibCheck: true,
    types: ['node'],
  }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['esm.mts', 'commonjs.cts'] }))
  const { code, output } = await exec('tsc', ['-p', 'tsconfig.json', '--pretty', 'false'], { cwd: folder })
  if (code === 0) return []
  const lines = output.split('\n').filter((line) => /error TS/.test(line))
  return lines.length === 0 ? [output] : lines.filter((line) => /^(esm|commonjs)\.|@smart-whale\/|^error/.test(line))
}
