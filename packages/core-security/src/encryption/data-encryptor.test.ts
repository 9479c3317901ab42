import { mkdtemp, readdir, readFile, rm, writeFile, chmod } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { createDataEncryptor, createKeyRing, EncryptionError, keyIdOf, makeEncryptionKey, openKeyFolder } from '../index.ts'

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text))
const text = (found: Uint8Array): string => Buffer.from(found).toString()
const codeOf = (work: Promise<unknown>): Promise<unknown> => work.then(() => 'it was decrypted', (error: unknown) => (EncryptionError.isInstance(error) ? error.code : error))

const folders: string[] = []
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true })
})
async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'keys-'))
  folders.push(path)
  return join(path, 'keys')
}

describe('what was encrypted', () => {
  it('comes back under its context, whatever it was, and never looks the same twice', async () => {
    const encryptor = createDataEncryptor(createKeyRing())
    const contexts = fc.dictionary(fc.string(), fc.string(), { maxKeys: 3 })
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), contexts, async (plain, context) => {
        const [one, other] = [await encryptor.encrypt(plain, context), await encryptor.encrypt(plain, context)]
        expect(Buffer.compare(one, other)).not.toBe(0)
        const turned = Object.fromEntries(Object.entries(context).reverse())
        expect(Buffer.compare(await encryptor.decrypt(one, turned), plain)).toBe(0)
      }),
      { numRuns: 50 },
    )
  })

  it('opens under no other context', async () => {
    const encryptor = createDataEncryptor(createKeyRing())
    const sealed = await encryptor.encrypt(bytes('4711'), { table: 'users', row: '1' })

    for (const context of [{}, { table: 'users' }, { table: 'users', row: '2' }, { table: 'user', srow: '1' }, { table: 'users', row: '1', more: '' }, { 'table': 'usersrow1' }]) {
      expect(await codeOf(encryptor.decrypt(sealed, context as Record<string, string>))).toBe('ERR_ENCRYPTION_ALTERED')
    }
  })

  it('does not open when any one of its bits is another', async () => {
    const encryptor = createDataEncryptor(createKeyRing())
    const sealed = await encryptor.encrypt(bytes('a secret'))

    for (let bit = 0; bit < sealed.length * 8; bit += 3) {
      const changed = sealed.slice()
      changed[bit >> 3]! ^= 1 << (bit & 7)
      expect(await codeOf(encryptor.decrypt(changed)), `bit ${bit}`).toMatch(/^ERR_ENCRYPTION_(?:ALTERED|UNKNOWN_KEY|FORMAT)$/)
    }
    for (let length = 0; length < sealed.length; length += 7) expect(await codeOf(encryptor.decrypt(sealed.slice(0, length)))).toMatch(/^ERR_ENCRYPTION_(?:ALTERED|FORMAT|UNKNOWN_KEY)$/)
  })

  it('stays readable after a rotation, and does not once its key is destroyed', async () => {
    const ring = createKeyRing()
    const encryptor = createDataEncryptor(ring)
    const old = await encryptor.encrypt(bytes('old'))

    await ring.rotate()
    const young = await encryptor.encrypt(bytes('young'))

    expect(keyIdOf(old)).not.toBe(keyIdOf(young))
    expect([text(await encryptor.decrypt(old)), text(await encryptor.decrypt(young))]).toEqual(['old', 'young'])
    await ring.remove(keyIdOf(old))
    expect(await codeOf(encryptor.decrypt(old))).toBe('ERR_ENCRYPTION_UNKNOWN_KEY')
    await expect(ring.remove(keyIdOf(young))).rejects.toMatchObject({ code: 'ERR_SECURITY_OPTIONS' })
  })

  it('opens under no other key, of the same name even', async () => {
    const key = makeEncryptionKey()
    const other = { ...makeEncryptionKey(), id: key.id }
    const sealed = await createDataEncryptor(createKeyRing({ keys: [key] })).encrypt(bytes('x'))

    expect(await codeOf(createDataEncryptor(createKeyRing({ keys: [other] })).decrypt(sealed))).toBe('ERR_ENCRYPTION_ALTERED')
  })
})

describe('a key folder', () => {
  it('outlives its process; what one rotates, another one finds', async () => {
    const path = await folder()
    const [here, there] = [await openKeyFolder({ path }), await openKeyFolder({ path })]
    const first = await createDataEncryptor(here).encrypt(bytes('first'))

    await Promise.all([here.rotate(), there.rotate(), here.rotate()])
    const second = await createDataEncryptor(here).encrypt(bytes('second'))

    expect(text(await createDataEncryptor(there).decrypt(first))).toBe('first')
    expect(text(await createDataEncryptor(there).decrypt(second))).toBe('second')
    expect(await (await openKeyFolder({ path })).ids()).toHaveLength(4)
    expect((await readdir(path)).every((name) => name.endsWith('.key'))).toBe(true)
  })

  it('may itself be encrypted', async () => {
    const path = await folder()
    const protection = createDataEncryptor(createKeyRing())
    const ring = await openKeyFolder({ path, protection })
    const sealed = await createDataEncryptor(ring).encrypt(bytes('x'))
    const [name] = await readdir(path)

    expect((await readFile(join(path, name ?? ''))).subarray(0, 2).toString()).toBe('SW')
    expect(text(await createDataEncryptor(await openKeyFolder({ path, protection })).decrypt(sealed))).toBe('x')
    await expect(openKeyFolder({ path })).rejects.toMatchObject({ code: 'ERR_SECURITY_KEY_FILE' })
  })

  it('is refused when others may read a key, or it is broken', async () => {
    const path = await folder()
    await openKeyFolder({ path })
    const file = join(path, (await readdir(path))[0] ?? '')

    await chmod(file, 0o644)
    await expect(openKeyFolder({ path })).rejects.toMatchObject({ code: 'ERR_SECURITY_KEY_FILE', message: expect.stringContaining('others') as string })
    await chmod(file, 0o600)
    await writeFile(file, Buffer.alloc(12))
    await expect(openKeyFolder({ path })).rejects.toMatchObject({ code: 'ERR_SECURITY_KEY_FILE' })
  })
})
