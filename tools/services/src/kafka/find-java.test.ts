import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findHostJava, tryJava } from './find-java.ts'

describe.skipIf(process.platform === 'win32')('tryJava', () => {
  let home: string
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'smart-whale-java-'))
    mkdirSync(join(home, 'bin'))
  })
  afterEach(() => rmSync(home, { recursive: true }))

  function javaOf(version: string, build = `${version}.0.1+5`): string {
    const program = join(home, 'bin', 'java')
    writeFileSync(program, `#!/bin/sh\necho '    java.specification.version = ${version}\n    java.vm.version = ${build}' >&2\n`, { mode: 0o755 })
    return program
  }

  it('takes 17 and newer, and tells builds apart', async () => {
    expect(await tryJava(javaOf('17', '17.0.1+5-Debian'))).toMatchObject({ build: '17.0.1+5-Debian' })
    expect(await tryJava(javaOf('25'))).toMatchObject({ build: '25.0.1+5' })
  })

  it.each(['11', '1.8'])('leaves Java %s alone', async (version) => {
    expect(await tryJava(javaOf(version))).toBeUndefined()
  })

  it('finds nothing where nothing runs', async () => {
    expect(await tryJava(join(home, 'bin', 'java'))).toBeUndefined()
  })

  it('prefers the one that JAVA_HOME names', async () => {
    const program = javaOf('21')

    expect(await findHostJava({ JAVA_HOME: home })).toMatchObject({ program })
  })
})
