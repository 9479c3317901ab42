import { chainOf, FusedPolicy } from '../executor/chain.ts'
import type { PlaceStage } from './place-stage.ts'

/** A policy that is one stage with places, and tells of them. */
export class PlacePolicy<S extends PlaceStage> extends FusedPolicy {
  readonly name: string
  protected readonly stage: S

  constructor(name: string, stage: S) {
    super(chainOf([stage]))
    this.name = name
    this.stage = stage
  }

  get underWay(): number {
    return this.stage.underWay
  }

  get queued(): number {
    return this.stage.queued
  }

  dispose(): void {
    this.stage.dispose()
  }
}
