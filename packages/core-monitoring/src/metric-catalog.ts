import type { MetricDefinition } from '@smart-whale/interfaces'
import type { Registry } from 'prom-client'
import { wrongInput } from './errors.ts'

/** What a metric is made from, checked, with the prefix in its name. */
export interface MetricSetup {
  readonly name: string
  readonly help: string
  readonly labelNames: readonly string[]
}

type Kind = 'counter' | 'gauge' | 'histogram'

interface Entry {
  readonly kind: Kind
  readonly labelNames: readonly string[]
  readonly metric: object
}

const METRIC_NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/
/** `le` and what begins with `__` are Prometheus' own. */
const LABEL_NAME = /^(?!__|le$)[a-zA-Z_][a-zA-Z0-9_]*$/

/** Finds the metric that has a definition's name, or makes it. */
export type MetricCatalog = <Metric extends object>(kind: Kind, definition: MetricDefinition, make: (setup: MetricSetup) => Metric) => Metric

/** Makes a catalog in which a name stands for one metric: one kind, one list of labels. */
export function createMetricCatalog(registry: Registry, prefix: string): MetricCatalog {
  if (prefix !== '' && !METRIC_NAME.test(prefix)) throw wrongInput('prefix', 'must be letters, digits, "_" and ":", not beginning with a digit')
  const entries = new Map<string, Entry>()

  return (kind, definition, make) => {
    const name = prefix + definition.name
    const labelNames = definition.labelNames ?? []
    const existing = entries.get(name)
    if (existing !== undefined) {
      if (existing.kind !== kind || existing.labelNames.join() !== labelNames.join()) throw conflict(name, `already is a ${describe(existing)}`)
      return existing.metric as ReturnType<typeof make>
    }
    requireDefinition(name, definition)
    if (registry.getSingleMetric(name) !== undefined) throw conflict(name, 'is in the registry already, put there by other code')
    const metric = make({ name, help: definition.help, labelNames: [...labelNames] })
    entries.set(name, { kind, labelNames, metric })
    return metric
  }
}

function requireDefinition(name: string, { help, labelNames = [] }: MetricDefinition): void {
  if (!METRIC_NAME.test(name)) throw wrongInput('name', `"${name}" must be letters, digits, "_" and ":", not beginning with a digit`, 'ERR_MONITORING_METRIC')
  if (typeof help !== 'string' || help === '') throw wrongInput('help', `must say what "${name}" measures`, 'ERR_MONITORING_METRIC')
  const wrong = labelNames.find((label, index) => !LABEL_NAME.test(label) || labelNames.indexOf(label) !== index)
  if (wrong === undefined) return
  throw wrongInput('labelNames', `"${wrong}" of "${name}" is there twice, reserved, or not made of letters, digits and "_"`, 'ERR_MONITORING_METRIC')
}

function conflict(name: string, message: string): ReturnType<typeof wrongInput> {
  return wrongInput('name', `"${name}" ${message}; choose another name`, 'ERR_MONITORING_METRIC_CONFLICT')
}

function describe({ kind, labelNames }: Entry): string {
  return labelNames.length === 0 ? `${kind} without labels` : `${kind} with the labels ${labelNames.join(', ')}`
}
