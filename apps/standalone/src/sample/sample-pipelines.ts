import type { PipelineInput } from '@smart-whale/messaging/pipeline'

/** Flights in the United States, January to June 2001: events. */
export const FLIGHTS: PipelineInput = {
  topic: 'flights',
  fields: { id: 'int64', time: 'timestamp', delay: 'int32', distance: 'int32', origin: 'string', destination: 'string' },
  time: 'time',
  id: 'id',
}

/** The S&P 500 index by trading day, 2000 to 2020: a time series. Prices are decimals, as the source writes them. */
export const SP500: PipelineInput = {
  topic: 'sp500',
  fields: {
    id: 'int64',
    time: 'timestamp',
    open: 'decimal(12,6)',
    high: 'decimal(12,6)',
    low: 'decimal(12,6)',
    close: 'decimal(12,6)',
    adjclose: 'decimal(12,6)',
    volume: 'int64',
  },
  time: 'time',
  id: 'id',
  partitions: 1,
}
