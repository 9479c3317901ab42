import { asJson, type SqlConnection } from '@smart-whale/timescaledb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { FreshDatabase } from '../../../../tools/engines/fresh-database.ts'
import { describeEditions } from '../each-engine.ts'
import { drivers, optionsFor, withConnection } from './each-driver.ts'

describeEditions((engine) => {
  describe.each(drivers.map((create) => create()).map((driver) => ({ name: driver.name, driver })))('SqlDriver $name', ({ driver }) => {
    let database: FreshDatabase
    let connection: SqlConnection
    beforeAll(async () => {
      database = await engine.freshDatabase()
      connection = await driver.connect(optionsFor(database.url))
    })
    afterAll(async () => {
      await connection.close()
      await database.drop()
    })

    const one = async (sql: string, params: readonly unknown[] = []): Promise<unknown> => Object.values((await connection.query(sql, params)).rows[0] ?? {})[0]

    describe('values', () => {
      it.each([
        ['int2', `'-32768'::int2`, -32_768],
        ['int4', `2147483647::int4`, 2_147_483_647],
        ['int8', `'-9223372036854775808'::int8`, -9_223_372_036_854_775_808n],
        ['numeric', `12345678901234567890.00012300::numeric`, '12345678901234567890.00012300'],
        ['numeric NaN', `'NaN'::numeric`, 'NaN'],
        ['float4', `1.5::float4`, 1.5],
        ['float8', `0.1::float8`, 0.1],
        ['float8 infinite', `'-Infinity'::float8`, -Infinity],
        ['bool', `true`, true],
        ['text', `E'a\\n🐳'`, 'a\n🐳'],
        ['uuid', `'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'::uuid`, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
        ['timestamptz', `'2024-02-29 12:34:56.789123+02'::timestamptz`, new Date('2024-02-29T10:34:56.789Z')],
        ['timestamptz BC', `'0044-03-15 12:00:00+00 BC'::timestamptz`, new Date('-000043-03-15T12:00:00.000Z')],
        ['timestamptz of the far future', `'20000-01-01 00:00:00+00'::timestamptz`, new Date('+020000-01-01T00:00:00.000Z')],
        ['timestamptz beyond a Date', `'290000-01-01 00:00:00+00'::timestamptz`, '290000-01-01 00:00:00+00'],
        ['timestamptz infinite', `'infinity'::timestamptz`, 'infinity'],
        ['timestamp', `'2024-02-29 12:34:56'::timestamp`, new Date('2024-02-29T12:34:56.000Z')],
        ['date', `'2024-02-29'::date`, '2024-02-29'],
        ['time', `'12:34:56.5'::time`, '12:34:56.5'],
        ['interval', `'1 day 02:00'::interval`, 'P1DT2H'],
        ['bytea', `'\\x00ff10'::bytea`, new Uint8Array([0, 255, 16])],
        ['json', `'{"a":[1,null,"b"]}'::json`, { a: [1, null, 'b'] }],
        ['jsonb', `'[1,2]'::jsonb`, [1, 2]],
        ['null', `null::int8`, null],
        ['int8[]', `array[1,null,9007199254740993]::int8[]`, [1n, null, 9_007_199_254_740_993n]],
        ['text[]', `array['a "quoted"', 'back\\slash', 'co,mma', '', 'NULL', null, '{brace}']::text[]`, ['a "quoted"', 'back\\slash', 'co,mma', '', 'NULL', null, '{brace}']],
        ['timestamptz[]', `array['2024-01-01 00:00:00+00']::timestamptz[]`, [new Date('2024-01-01T00:00:00.000Z')]],
        ['nested array', `array[[1,2],[3,4]]::int4[]`, [[1, 2], [3, 4]]],
        ['empty array', `'{}'::int4[]`, []],
        ['array with bounds', `'[0:1]={1,2}'::int4[]`, [1, 2]],
        ['bytea[]', `array['\\x01','\\xff']::bytea[]`, [new Uint8Array([1]), new Uint8Array([255])]],
        ['jsonb[]', `array['{"a":1}'::jsonb]`, [{ a: 1 }]],
      ])('reads %s', async (_type, sql, expected) => {
        expect(await one(`select ${sql} as v`)).toEqual(expected)
      })

      it.each([
        ['bigint', 'int8', 9_223_372_036_854_775_807n],
        ['number', 'float8', -0],
        ['number', 'int4', -7],
        ['decimal string', 'numeric', '-0.000000000000000001'],
        ['text with quotes', 'text', `it's "x" \\ 🐳 $1`],
        ['Date', 'timestamptz', new Date('1969-12-31T23:59:59.999Z')],
        ['Date before Christ', 'timestamptz', new Date('-000043-03-15T12:00:00.000Z')],
        ['Date in a column without zone', 'timestamp', new Date('2024-06-01T12:00:00.000Z')],
        ['bytes', 'bytea', new Uint8Array([0, 1, 254, 255])],
        ['boolean', 'bool', false],
        ['object', 'jsonb', { a: [1, 'zwei', null], b: { c: true } }],
        ['strings', 'text[]', ['a', 'b"c', 'd\\e', '', 'NULL', null, '{}', 'f,g']],
        ['bigints', 'int8[]', [1n, -2n]],
        ['nested numbers', 'float8[]', [[1.5, 2], [3, 4]]],
        ['times', 'timestamptz[]', [new Date(0)]],
        ['byte strings', 'bytea[]', [new Uint8Array([1, 2])]],
        ['objects', 'jsonb[]', [{ a: '"' }, null]],
        ['null', 'text', null],
      ])('binds %s as %s', async (_what, type, value) => {
        expect(await one(`select $1::${type} as v`, [value])).toEqual(value)
      })

      it('binds arrays as JSON when asked to, with 64-bit integers exact', async () => {
        expect(await one('select $1::jsonb as v', [asJson([1, 'a'])])).toEqual([1, 'a'])
        expect(await one(`select ($1::jsonb->>'n') as v`, [{ n: 9_007_199_254_740_993n }])).toBe('9007199254740993')
      })

      it.each([
        ['undefined', undefined],
        ['a function', () => 1],
        ['an invalid date', new Date(NaN)],
        ['half a surrogate pair', '\ud83d'],
        ['a Map', new Map([['a', 1]])],
      ])('refuses %s, naming the parameter', async (_what, value) => {
        await expect(connection.query('select $1::text, $2::text', ['fine', value])).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_INPUT', issues: [{ path: ['params', 1] }] })
      })
    })

    describe('statements', () => {
      it('tells columns with their types, and the count of rows', async () => {
        const result = await connection.query(`select 1::int8 as a, 'x'::text as b`)

        expect(result.fields).toEqual([
          { name: 'a', typeId: 20 },
          { name: 'b', typeId: 25 },
        ])
        expect(result).toMatchObject({ rowCount: 1, command: 'SELECT' })
      })

      it('counts the rows that it changed', async () => {
        await connection.query('create temp table counted as select generate_series(1, 10) as n')

        expect(await connection.query('update counted set n = n + 1 where n > $1', [3])).toMatchObject({ rowCount: 7, command: 'UPDATE', rows: [] })
      })

      it('takes one statement only: nothing can be appended', async () => {
        await expect(connection.query('select 1; select 2')).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_SYNTAX' })
      })

      it('runs scripts of many statements as one transaction', async () => {
        await connection.runScript('create table scripted (n int); insert into scripted values (1); insert into scripted values (2)')
        await expect(connection.runScript('insert into scripted values (3); select 1/0')).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_DATA' })

        expect(await one('select count(*) from scripted')).toBe(2n)
      })

      it('runs what is asked at once in order', async () => {
        const answers = await Promise.all([connection.query('select pg_sleep(0.05), 1 as n'), connection.query('select 2 as n'), connection.query('select 3 as n')])

        expect(answers.map(({ rows }) => rows[0]?.['n'])).toEqual([1, 2, 3])
      })

      it('goes on after a failed statement', async () => {
        await expect(connection.query('select nothing')).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_UNDEFINED' })
        await expect(connection.query('select $1::int', ['x'])).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_DATA' })
        await expect(connection.query('select $1::int, $2::int', [1])).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_SYNTAX' })

        expect(await one('select 1')).toBe(1)
      })

      it('prepares statements when asked to, also while tables change under them', async () => {
        await withConnection(driver, optionsFor(database.url, { prepare: true }), async (prepared) => {
          await prepared.query('create temp table shifting (a int)')
          await prepared.query('select * from shifting where a = $1', [1])
          await prepared.query('alter table shifting add column b int')
          await prepared.query('select * from shifting where a = $1', [1]).catch((error: { retryable: boolean }) => expect(error.retryable).toBe(true))

          expect((await prepared.query('select * from shifting where a = $1', [1])).fields).toHaveLength(2)
          expect((await prepared.query('select count(*) as n from pg_prepared_statements')).rows[0]?.['n']).not.toBe(0n)
        })
      })
    })

    describe('executeMany', () => {
      beforeAll(() => connection.runScript('create table many (id int8 primary key, note text)'))

      it('stores every list and counts', async () => {
        const lists = Array.from({ length: 5_000 }, (_, index) => [BigInt(index), `note ${index}`])

        expect(await connection.executeMany('insert into many values ($1, $2)', lists)).toBe(5_000)
        expect(await connection.executeMany('delete from many where id < $1', [[10n], [20n]])).toBe(20)
        expect(await one('select count(*) from many')).toBe(4_980n)
      })

      it('stores nothing when one list is refused, and the connection goes on', async () => {
        const before = await one('select count(*) from many')
        const lists = Array.from({ length: 3_000 }, (_, index) => [BigInt(index === 1_500 ? 100 : index + 10_000), 'x'])

        await expect(connection.executeMany('insert into many values ($1, $2)', lists)).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_UNIQUE' })

        expect(await one('select count(*) from many')).toBe(before)
      })

      it('is part of the transaction around it', async () => {
        await connection.begin()
        await connection.executeMany('insert into many values ($1, $2)', [[-1n, 'a'], [-2n, 'b']])
        await connection.rollback()

        expect(await one('select count(*) from many where id < 0')).toBe(0n)
      })
    })

    describe('copyIn', () => {
      beforeAll(() => connection.runScript('create table copied (id int primary key, note text)'))

      it('stores what is sent', async () => {
        async function* source(): AsyncGenerator<Buffer> {
          for (let index = 0; index < 20_000; index++) yield Buffer.from(`${index}\tnote ${index}\n`)
        }

        const stored = await connection.copyIn('copy copied from stdin', source())

        expect(stored).toBe(20_000)
        expect(await one('select count(*) from copied')).toBe(20_000n)
      })

      it('fails when the server refuses a row at the end, and the connection goes on', async () => {
        await expect(connection.copyIn('copy copied from stdin', [Buffer.from('-1\ta\n-1\tb\n')])).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_UNIQUE', context: { constraint: 'copied_pkey' } })
        await expect(connection.copyIn('copy copied from stdin', [Buffer.from('x\ta\n')])).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_DATA' })
        await expect(connection.copyIn('copy nowhere from stdin', [Buffer.from('x\ta\n')])).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_UNDEFINED' })

        expect(await one('select count(*) from copied where id < 0')).toBe(0n)
      })

      it('fails with the error of a source that fails, and stores nothing', async () => {
        async function* source(): AsyncGenerator<Buffer> {
          yield Buffer.from('-5\ta\n')
          throw new RangeError('the source broke')
        }

        await expect(connection.copyIn('copy copied from stdin', source())).rejects.toThrow(/source broke/)

        expect(await one('select count(*) from copied where id < 0')).toBe(0n)
      })
    })
  })
})
