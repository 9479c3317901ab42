import { notify } from '../notify.ts'
import type { BreakerRules } from './breaker-options.ts'
import type { BreakerState, StateManager } from './state-manager.ts'

const STATE_AS_NUMBER: Readonly<Record<BreakerState, number>> = { closed: 0, 'half-open': 1, open: 2 }

/** Tells metrics and listener of one breaker's changes, whoever makes them. */
export function observeBreaker({ name, metrics, onStateChange }: BreakerRules, states: StateManager): { refused: () => void; stop: () => void } {
  const labels = { breaker: name }
  const labelNames = ['breaker']
  const state = metrics.gauge({ name: 'smart_whale_breaker_state', help: '0 closed, 1 half-open, 2 open', labelNames })
  const refusals = metrics.counter({ name: 'smart_whale_breaker_refusals_total', help: 'Calls refused while open', labelNames })
  const changes = metrics.counter({
    name: 'smart_whale_breaker_changes_total',
    help: 'Changes of state',
    labelNames: ['breaker', 'to', 'reason'],
  })
  state.set(labels, STATE_AS_NUMBER[states.manageState(name).state])
  const stop = states.subscribe(({ from, to, reason }) => {
    state.set(labels, STATE_AS_NUMBER[to])
    changes.inc({ breaker: name, to, reason })
    notify(onStateChange, { breaker: name, from, to, reason })
  }, name)
  return { refused: () => refusals.inc(labels), stop }
}
