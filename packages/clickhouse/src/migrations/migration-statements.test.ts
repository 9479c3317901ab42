import { ValidationError } from '@smart-whale/interfaces'
import { describe, expect, it } from 'vitest'
import { isRepeatable, leavesNothingWhenItFails, splitStatements } from './migration-statements.ts'

describe('the statements of a text', () => {
  it('are cut at the semicolons that separate them, and at no others', () => {
    const text =
      "-- first; of all\nCREATE TABLE a (x String DEFAULT ';') ENGINE = Memory; ;\n/* ; */ INSERT INTO a VALUES ('it''s; \\'quoted\\';'), ($$;$$);\nSELECT `;` FROM a -- end;"

    expect(splitStatements(text)).toEqual([
      "CREATE TABLE a (x String DEFAULT ';') ENGINE = Memory",
      "INSERT INTO a VALUES ('it''s; \\'quoted\\';'), ($$;$$)",
      'SELECT `;` FROM a',
    ])
  })

  it('are none for a text of comments', () => {
    expect(splitStatements('-- nothing;\n;;')).toEqual([])
  })

  it('keep the comments inside of them', () => {
    expect(splitStatements('SELECT 1, -- one;\n 2;')).toEqual(['SELECT 1, -- one;\n 2'])
  })

  it('can not be told from data that follows a FORMAT', () => {
    expect(() => splitStatements('INSERT INTO a FORMAT CSV\n1;2')).toThrow(
      expect.toSatisfy((error) => ValidationError.isInstance(error)) as Error,
    )
  })
})

describe('a statement that may have taken effect', () => {
  it.each([
    'CREATE TABLE IF NOT EXISTS a (x Int8) ENGINE = Memory',
    'CREATE OR REPLACE VIEW a AS SELECT 1',
    'DROP TABLE IF EXISTS a',
    'TRUNCATE TABLE a',
    'ALTER TABLE a ADD COLUMN IF NOT EXISTS x Int8, MODIFY COLUMN y String',
    'ALTER TABLE db.`ADD` MODIFY SETTING x = 1',
    "ALTER TABLE a DROP COLUMN IF EXISTS x, COMMENT COLUMN y 'z'",
    'OPTIMIZE TABLE a FINAL',
    'GRANT SELECT ON a TO b',
    'DELETE FROM a WHERE x = 1',
  ])('may be sent again: %s', (statement) => {
    expect(isRepeatable(statement)).toBe(true)
  })

  it.each([
    'CREATE TABLE a (x Int8) ENGINE = Memory',
    "CREATE TABLE a (x String DEFAULT 'IF NOT EXISTS') ENGINE = Memory",
    'DROP TABLE a',
    'INSERT INTO a SELECT 1',
    'RENAME TABLE a TO b',
    'ALTER TABLE a ADD COLUMN x Int8',
    'ALTER TABLE a ADD COLUMN IF NOT EXISTS x Int8, ADD COLUMN y Int8',
    'ALTER TABLE a UPDATE x = x + 1 WHERE 1',
    'ALTER TABLE a ATTACH PARTITION 1',
    'EXCHANGE TABLES a AND b',
    'ALTER TABLE a',
  ])('may not: %s', (statement) => {
    expect(isRepeatable(statement)).toBe(false)
  })
})

describe('a statement that the server refused', () => {
  it.each([
    'CREATE TABLE a (x Int8) ENGINE = Memory',
    'RENAME TABLE a TO b',
    'ALTER TABLE a ADD COLUMN x Int8',
    'CREATE VIEW v AS SELECT 1',
  ])('left nothing behind: %s', (statement) => {
    expect(leavesNothingWhenItFails(statement)).toBe(true)
  })

  it.each([
    'INSERT INTO a SELECT 1',
    'CREATE TABLE a ON CLUSTER c (x Int8) ENGINE = Memory',
    'CREATE TABLE a ENGINE = Memory AS SELECT 1',
    'CREATE MATERIALIZED VIEW v ENGINE = Memory POPULATE AS SELECT 1',
  ])('may have left something behind: %s', (statement) => {
    expect(leavesNothingWhenItFails(statement)).toBe(false)
  })
})
