import { describe, expect, it } from 'vitest'
import { refuseLookingAround } from './refuse-looking-around.ts'

describe("a tenant's query", () => {
  it.each([
    'SELECT origin, avg(delay) AS mean FROM flights WHERE at > now() - INTERVAL 7 DAY GROUP BY origin HAVING mean > 0 ORDER BY origin LIMIT 10',
    'WITH late AS (SELECT * FROM flights WHERE delay > 2) SELECT f.id FROM flights AS f JOIN late AS l ON f.id = l.id',
    'FROM flights SELECT count()',
    '(SELECT 1) UNION ALL (SELECT 2)',
    'SELECT _timestamp, _id, _partner, _size_class, version, system, user, sleep FROM events',
    "SELECT 'system.tables', '_part_offset', 'sleep(1)' FROM events -- system.tables",
    'DESCRIBE flights',
    'DESCRIBE TABLE flights',
    'EXPLAIN SYNTAX SELECT 1',
    'explain ast select 1',
    'SELECT explain FROM flights',
    'SELECT currentDatabase(), now(), today(), rand()',
    'SELECT e.session_user, session_user.name FROM events AS e',
  ])('may be %s', (query) => {
    expect(() => refuseLookingAround(query)).not.toThrow()
  })

  it.each([
    ['SELECT _part_offset FROM flights', '_part_offset'],
    ['SELECT `_part\\x5foffset` FROM flights', '_part_offset'],
    ['SELECT t . _partition_id FROM flights AS t', '_partition_id'],
    ['SELECT * FROM SYSTEM . "tables"', 'system'],
    ['SELECT * FROM `sys\\x74em`/* */.tables', 'system'],
    ['SELECT Sleep(1)', 'sleep'],
    ['SELECT `sleep` (1)', 'sleep'],
    ['SELECT dictGetOrDefault(\'d\', \'a\', 1, 2)', 'dictgetordefault'],
    ['SELECT CURRENT_USER', 'current_user'],
    ['SELECT `session_user`, id FROM flights', 'session_user'],
    ['EXPLAIN ESTIMATE SELECT 1', 'ESTIMATE'],
    ['EXPLAIN SELECT 1', 'EXPLAIN'],
    ['(EXPLAIN PLAN SELECT 1)', 'EXPLAIN'],
    ['SHOW TABLES', 'SELECT'],
    ['EXISTS flights', 'SELECT'],
    ['', 'SELECT'],
    ['KILL QUERY WHERE 1', 'SELECT'],
  ])('may not be %s', (query, named) => {
    expect(() => refuseLookingAround(query)).toThrow(named)
  })

  it('may not bring such names as values', () => {
    expect(() => refuseLookingAround('SELECT {c:Identifier} FROM flights', { c: '_part_offset' })).toThrow('_part_offset')
    expect(() => refuseLookingAround('SELECT {c:Identifier} FROM flights', { c: 'Current_User' })).toThrow('current_user')
    expect(() => refuseLookingAround('SELECT * FROM {t:Identifier}', { t: 'system.tables' })).toThrow('system')
    expect(() => refuseLookingAround('SELECT * FROM {t:Identifier}', { t: 'flights' })).not.toThrow()
    expect(() => refuseLookingAround('SELECT {text:String}', { text: 'system.tables' })).not.toThrow()
  })
})
