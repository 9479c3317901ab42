/** A target and everything that ever happened to it. */
export interface Target {
  readonly name: string
  readonly weight: number
  underWay: number
  results: { readonly at: number; readonly failed: boolean }[]
  /** Calls begun, answered and given up, with how many were unanswered then. */
  talk: { readonly at: number; readonly what: 'asked' | 'answered' | 'left'; readonly unanswered: number }[]
  measuredMs: number
  measuredAt: number
  outUntil: number
  timesOut: number
  credit: number
}

export type StrategyName = 'roundRobin' | 'randomChoice' | 'weightedRoundRobin' | 'leastConnections' | 'powerOfTwoChoices' | 'rendezvousHash'

export interface Outliers {
  readonly consecutiveFailures: number
  readonly failureShare: number
  readonly minimumCalls: number
  readonly windowMs: number
  readonly ejectMs: number
  readonly maxEjectMs: number
  readonly maxEjectedShare: number
}

export const LATENCY_DECAY_MS = 1_000

/** The rules over plain lists. It is told what chance said, and knows which targets would have been right. */
export class BalancerModel {
  now = 0
  targets: Target[] = []
  readonly outliers: Outliers
  readonly strategy: StrategyName
  private turn = 0
  /** Of a key, every choice that was made, with those that were to choose from. */
  private readonly placed: { key: string; among: readonly Target[]; chosen: Target }[] = []

  constructor(strategy: StrategyName, outliers: Outliers) {
    this.strategy = strategy
    this.outliers = outliers
  }

  setTargets(targets: readonly { name: string; weight: number }[]): void {
    const before = this.targets
    this.targets = targets.map(({ name, weight }) => before.find((known) => known.name === name && known.weight === weight) ?? fresh(name, weight))
  }

  candidates(exclude: readonly string[]): readonly Target[] {
    const isIn = (target: Target): boolean => target.outUntil <= this.now
    const isFresh = (target: Target): boolean => !exclude.includes(target.name)
    const choices = [this.targets.filter((target) => isIn(target) && isFresh(target)), this.targets.filter(isFresh), this.targets]
    return choices.find((choice) => choice.length > 0) ?? []
  }

  /** Those that may be chosen now. `chances` are the numbers that the strategy was given. */
  right(among: readonly Target[], key: string | undefined, chances: readonly number[]): readonly Target[] {
    const byChance = [among[Math.floor((chances[0] ?? 0) * among.length)]!]
    if (this.strategy === 'roundRobin') return this.next(among)
    if (this.strategy === 'weightedRoundRobin') return this.richest(among)
    if (this.strategy === 'leastConnections') return lowest(among, ({ underWay, weight }) => underWay / weight)
    if (this.strategy === 'powerOfTwoChoices') return cheaperOfTwo(among, chances, this.latencyOf)
    if (this.strategy === 'rendezvousHash' && key !== undefined) return this.atItsPlace(among, key)
    return byChance
  }

  chose(among: readonly Target[], key: string | undefined, chosen: Target): void {
    chosen.underWay += 1
    this.say(chosen, 'asked')
    if (key !== undefined) this.placed.push({ key, among, chosen })
  }

  answered(target: Target, beganAt: number): void {
    this.say(target, 'answered')
    this.measured(target, this.now - beganAt)
  }

  end(target: Target, { beganAt, isAnswered }: { beganAt: number; isAnswered: boolean }, outcome: 'succeeded' | 'failed' | 'unknown'): void {
    target.underWay -= 1
    const failed = outcome === 'failed'
    const tookMs = this.now - beganAt
    if (!isAnswered) this.say(target, outcome === 'unknown' ? 'left' : 'answered')
    if (!isAnswered && (outcome === 'succeeded' || (failed && tookMs > target.measuredMs))) this.measured(target, tookMs)
    if (outcome === 'unknown') return
    target.results.push({ at: this.now, failed })
    if (!failed && this.now >= target.outUntil + this.outliers.windowMs) target.timesOut = 0
    if (failed && this.isOutlier(target) && target.outUntil <= this.now && this.mayBeOut(target)) this.putOut(target)
  }

  /** What was measured loses weight with time; who owes an answer has been at least as slow as he has said nothing. */
  latencyOf = ({ measuredMs, measuredAt, talk }: Target): number => {
    const worn = measuredMs * Math.E ** ((measuredAt - this.now) / LATENCY_DECAY_MS)
    if (measuredMs === 0 || (talk.at(-1)?.unanswered ?? 0) === 0) return worn
    const spoken = talk.findLast(({ what }) => what === 'answered')?.at ?? 0
    const firstAsked = talk.findLast(({ what, unanswered }) => what === 'asked' && unanswered === 1)?.at ?? 0
    return Math.max(worn, this.now - Math.max(spoken, firstAsked))
  }

  private next(among: readonly Target[]): readonly Target[] {
    const at = this.turn % among.length
    this.turn = at + 1
    return [among[at]!]
  }

  private richest(among: readonly Target[]): readonly Target[] {
    for (const target of among) target.credit += target.weight
    const most = Math.max(...among.map(({ credit }) => credit))
    const chosen = among.find(({ credit }) => credit === most)!
    chosen.credit -= among.reduce((sum, { weight }) => sum + weight, 0)
    return [chosen]
  }

  /** A key stays where it was as long as that is among the choices and nothing has come that wasn't there when it was chosen. */
  private atItsPlace(among: readonly Target[], key: string): readonly Target[] {
    const bound = this.placed.find((placed) => placed.key === key && among.includes(placed.chosen) && among.every((target) => placed.among.includes(target)))
    // And what won over more can't lose to less: whoever lost against one that is here is out.
    const lost = this.placed.filter((placed) => placed.key === key && among.includes(placed.chosen)).flatMap(({ among: beaten, chosen }) => beaten.filter((target) => target !== chosen))
    return bound === undefined ? among.filter((target) => !lost.includes(target)) : [bound.chosen]
  }

  private say(target: Target, what: 'asked' | 'answered' | 'left'): void {
    target.talk.push({ at: this.now, what, unanswered: (target.talk.at(-1)?.unanswered ?? 0) + (what === 'asked' ? 1 : -1) })
  }

  private measured(target: Target, tookMs: number): void {
    const share = Math.exp((target.measuredAt - this.now) / LATENCY_DECAY_MS)
    target.measuredMs = tookMs >= target.measuredMs ? tookMs : target.measuredMs * share + tookMs * (1 - share)
    target.measuredAt = this.now
  }

  private isOutlier({ results }: Target): boolean {
    const inARow = results.length - 1 - results.findLastIndex(({ failed }) => !failed)
    if (inARow >= this.outliers.consecutiveFailures) return true
    const slotOf = (at: number): number => Math.floor(at / (this.outliers.windowMs / 10))
    const recent = results.filter(({ at }) => slotOf(at) > slotOf(this.now) - 10)
    return recent.length >= this.outliers.minimumCalls && recent.filter(({ failed }) => failed).length >= recent.length * this.outliers.failureShare
  }

  private mayBeOut(target: Target): boolean {
    const out = this.targets.filter(({ outUntil }) => outUntil > this.now).length
    return this.targets.includes(target) && this.targets.length > 1 && out < Math.max(1, Math.floor(this.targets.length * this.outliers.maxEjectedShare))
  }

  private putOut(target: Target): void {
    target.timesOut += 1
    target.outUntil = this.now + Math.min(this.outliers.maxEjectMs, this.outliers.ejectMs * target.timesOut)
    target.results = []
  }
}

function fresh(name: string, weight: number): Target {
  return { name, weight, underWay: 0, results: [], talk: [], measuredMs: 0, measuredAt: 0, outUntil: -Infinity, timesOut: 0, credit: 0 }
}

function lowest(among: readonly Target[], costOf: (target: Target) => number): readonly Target[] {
  const least = Math.min(...among.map(costOf))
  return among.filter((target) => costOf(target) === least)
}

/** By the time that a call would take; where nothing is known a second stands in for it, once a call is under way that will tell. */
function cheaperOfTwo(among: readonly Target[], [one = 0, other = 0]: readonly number[], latencyOf: (target: Target) => number): readonly Target[] {
  if (among.length === 1) return among
  const first = among[Math.floor(one * among.length)]!
  const others = [...among.slice(among.indexOf(first) + 1), ...among.slice(0, among.indexOf(first))]
  const costOf = (target: Target): number => (latencyOf(target) === 0 ? 1_000 * target.underWay : latencyOf(target) * (target.underWay + 1)) / target.weight
  const second = others[Math.floor(other * others.length)]!
  // What differs by a rounding alone is equal, and either will do.
  if (costOf(first) > 0 && Math.abs(costOf(first) - costOf(second)) <= 1e-9 * costOf(first)) return [first, second]
  return [lowest([first, second], costOf)[0]!]
}
