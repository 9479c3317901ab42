import { describe, expect, it } from 'vitest'
import { PermissionDeniedError } from '../operational-errors.ts'
import { bindParameters } from './bind-parameters.ts'
import { refuseReachingOut } from './refuse-reaching-out.ts'
import { typed } from './typed-value.ts'

const isRefused = (query: string, params = {}): boolean => {
  try {
    refuseReachingOut(bindParameters(query, params))
    return false
  } catch (error) {
    return PermissionDeniedError.isInstance(error)
  }
}

describe('refuseReachingOut', () => {
  it.each([
    "SELECT file('/etc/passwd')",
    "SELECT file/**/('/etc/passwd')",
    "SELECT `file`('/etc/passwd')",
    "SELECT \"file\"('/etc/passwd')",
    "SELECT “file”('/etc/passwd')",
    "SELECT 1 AS “a”, file('/etc/passwd'), 2 AS “b”",
    "SELECT `\\x66ile`('/etc/passwd')",
    "SELECT `f\\ile`('/etc/passwd')",
    "SELECT arrayMap(file, ['/etc/passwd'])",
    "SELECT * APPLY file FROM (SELECT '/etc/passwd')",
    "WITH (x -> file(x)) AS f SELECT f('/etc/passwd')",
    "SELECT 1.file('/etc/passwd')",
    "SELECT '\\'', file('/etc/passwd')",
    "SELECT 'a''', file('/etc/passwd')",
    "SELECT $a$ $a$, file('/etc/passwd')",
    "SELECT * FROM file('/etc/passwd')",
    "SELECT x.file('/etc/passwd')",
    "SELECT b FROM values('a String, b String ALIAS file(\'\'/etc/passwd\'\')', 'x')",
    "SELECT b FROM VALUES ('a String, b String ALIAS f\\x69le(1)', 'x')",
    "SELECT b FROM `v\\x61lues`/* */($$b String ALIAS file(1)$$, 'x')",
    "SELECT b FROM values\u200B('b String', 'x')",
    "SELECT b FROM values\u180E('b String', 'x')",
    "SELECT * FROM generateRandom(concat('b String ALIAS fi', 'le(1)'))",
    "SELECT * FROM GenerateRandom(unhex('62'))",
    "SELECT * FROM null('b String')",
    "SELECT * FROM viewIfPermitted(SELECT 1 ELSE null('b String'))",
    "SELECT * FROM remote('127.0.0.1', system.one)",
    "EXPLAIN TABLE OVERRIDE mysql('host:1', 'a', 'b', 'c', 'd') PARTITION BY 1",
    "DESCRIBE TABLE format('CSV', 'a UInt8 DEFAULT file(1)', '1')",
    "DESC format('CSV', 'a UInt8', '1')",
    "SELECT * FROM numbers(1) AS a, format(CSV, 'a UInt8', '1')",
    "SELECT * FROM a JOIN b ON a.x = b.x AND a.y = 1, format(CSV, 'a UInt8', '1')",
    "SELECT * FROM a JOIN format(CSV, 'a UInt8', '1') AS b ON 1",
    "SELECT arrayReduce('groupConcat(file(\'\'/etc/passwd\'\'))', ['a', 'b'])",
    "SELECT arrayReduce(concat('sum', '(1)'), [1])",
    "SELECT arrayReduce('sum' || '(1)', [1])",
    "SELECT initializeAggregation($$groupConcat(file(1))$$, 'a')",
    'SELECT arrayMap(arrayReduce, a, b) FROM t',
    "SELECT structureToCapnProtoSchema('a UInt8 DEFAULT file(1)')",
    'SELECT hostName()',
    'SELECT fqdn ( )',
    "SELECT getServerSetting('path')",
    "SELECT * APPLY getMacro FROM (SELECT 'x')",
  ])('refuses %s', (query) => {
    expect(isRefused(query)).toBe(true)
  })

  it.each([
    "SELECT 'file', \"a file\", t.file, t.`file`, profile, file_name FROM t",
    'SELECT hostname, uptime, t.hostname, format, values, url FROM t WHERE input IS NOT NULL',
    "SELECT format('{}-{}', a, b) AS f, version(), currentUser() FROM t WHERE format('{}', a) = '1' ORDER BY format('{}', a)",
    "SELECT * FROM a JOIN b ON a.x = format('{}', b.x) AND format('{}', a.y) = '1'",
    "SELECT arrayReduce('sum', a), arrayReduce('quantile(0.9)', a) FROM t",
    'SELECT * FROM numbers(10) AS n JOIN view(SELECT 1 AS a) AS v ON n.number = v.a',
    'SELECT * FROM generate_series(1, 3), zeros(1), NUMBERS_MT(2)',
    "SELECT 1 -- file('x')\n/* file('x') */",
    "SELECT $$ file('x') $$, 'it''s file(1)', 'it\\'s file(1)'",
  ])('lets pass %s', (query) => {
    expect(isRefused(query)).toBe(false)
  })

  it('names the function and what to write instead', () => {
    expect(() => refuseReachingOut({ query: "SELECT * FROM values('a String', 'x')", parameters: {} })).toThrow(/"values".*arrayJoin/)
  })

  it.each([
    ['INTERPOLATE (v, v)', true],
    ['interpolate /* x */ ( `v` AS v + 1, w AS (1, 2).1, "v")', true],
    ['INTERPOLATE (v AS plus(v, v), w AS v, x AS [v, v][1])', false],
    ['INTERPOLATE (v), v', false],
    ['', false],
  ])('refuses what ends the server: %s', (clause, refused) => {
    expect(isRefused(`SELECT number AS n, 1 AS v, 2 AS w, 3 AS x FROM numbers(9) ORDER BY n WITH FILL ${clause}`)).toBe(refused)
  })

  it('refuses a name of a function that is a value', () => {
    expect(isRefused("SELECT * FROM {f:Identifier}('b String', 'x')", { f: 'values' })).toBe(true)
    expect(isRefused('SELECT * FROM {f:Identifier}', { f: 'values' })).toBe(false)
    expect(isRefused("SELECT * APPLY {f:Identifier} FROM (SELECT 'x')", { f: 'File' })).toBe(true)
  })

  it('refuses the name as an identifier among the values', () => {
    expect(isRefused("SELECT {f:Identifier}('/etc/passwd')", { f: 'file' })).toBe(true)
    expect(isRefused("SELECT :f('/etc/passwd')", { f: typed('Identifier', 'file') })).toBe(true)
    expect(isRefused('SELECT :f', { f: 'file' })).toBe(false)
  })

  it('looks at the values each time, also of a text that it knows, and at a text that it refused', () => {
    const query = 'SELECT {f:Identifier} FROM t'
    const verdicts = ['a', 'file', 'a', 'file'].map((f) => isRefused(query, { f }))
    const refused = [1, 2].map(() => isRefused("SELECT file('x')"))

    expect([verdicts, refused]).toEqual([[false, true, false, true], [true, true]])
  })
})
