import { describe, expect, it } from 'vitest'
import { misspelt } from './misspelt-variables.ts'

const KNOWN = ['KAFKA_BROKERS', 'KAFKA_TLS', 'CLICKHOUSE_PASSWORD', 'CLICKHOUSE_URL', 'PIPELINES_FILE', 'PORT']

describe('misspelt', () => {
  it.each([
    ['KAFKA_BROKER', 'KAFKA_BROKERS'],
    ['KAFKA_BORKERS', 'KAFKA_BROKERS'],
    ['KAFKA_SSL', 'KAFKA_TLS'],
    ['CLICKHOUSE_PASWORD', 'CLICKHOUSE_PASSWORD'],
    ['PIPELINE_FILE', 'PIPELINES_FILE'],
    ['CLICKHOUSE_Password', 'CLICKHOUSE_PASSWORD'],
    ['KAFKA_TLS_BROKERS', undefined],
    ['KAFKA_SERVICE_HOST', undefined],
    ['OTHER_BROKERS', undefined],
    ['PORT', undefined],
  ])('%s was probably meant to be %s', (name, meant) => {
    expect(misspelt({ [name]: 'secret' }, KNOWN)).toEqual(meant === undefined ? [] : [{ name, meant }])
  })

  it('tells what other programs call it, where ours is missing', () => {
    const elsewhere = { KAFKA_BOOTSTRAP_SERVERS: 'KAFKA_BROKERS' }

    expect(misspelt({ KAFKA_BOOTSTRAP_SERVERS: 'a:1' }, KNOWN, elsewhere)).toEqual([{ name: 'KAFKA_BOOTSTRAP_SERVERS', meant: 'KAFKA_BROKERS' }])
    expect(misspelt({ KAFKA_BOOTSTRAP_SERVERS: 'a:1', KAFKA_BROKERS: 'a:1' }, KNOWN, elsewhere)).toEqual([])
  })

  it('passes over what is set to nothing', () => {
    expect(misspelt({ KAFKA_BROKER: '', KAFKA_TL: undefined }, KNOWN)).toEqual([])
  })
})
