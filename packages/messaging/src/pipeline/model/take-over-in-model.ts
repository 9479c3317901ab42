import { OperationError, TAKEN_OVER } from '@smart-whale/interfaces'
import { takeOverGroup } from '../take-over-group.ts'
import { holderIn, modelRow } from './model-stores.ts'
import { modelTransport } from './model-topic.ts'
import type { World } from './model-world.ts'
import type { ProcessLife } from './process-life.ts'

/** Which pipeline is to go on in the place of which, and where. */
export interface ModelTakeover {
  readonly sinks: 'both' | 'clickhouse' | 'timescaledb'
  readonly isLedgerInGroup: boolean
  readonly from: string
  readonly to: string
}

/** The command `take-over`, as one process runs it: in the same order, and as likely as any to be killed, suspended or failed at each step. */
export async function takeOverInModel(world: World, life: ProcessLife, { sinks, isLedgerInGroup, from, to }: ModelTakeover): Promise<void> {
  const { holder, since } = sinks === 'timescaledb' ? { holder: from, since: 0 } : await life.step(() => ({ holder: world.holder, since: world.timesGiven }))
  const giveTable = (): Promise<void> => takeTurns(world, life, { from, to, since })
  // Nothing to take over but a claim in PostgreSQL, or a third pipeline has it.
  const isClaimAlone = holder === null && sinks === 'both' && (await life.step(() => world.postgres === null))
  if (isClaimAlone) await life.step(() => world.claimed === from && (world.claimed = to))
  if (holder !== from && holder !== to) return
  if (isLedgerInGroup) {
    if (holder === to) return giveTable()
    await takeOverGroup(modelTransport(world, life), { from, to, topic: 'model' }, { whileHeld: giveTable })
    return
  }
  const { awaitLock, onServerFailure } = modelRow(world, life)
  const moveEntry = (): boolean => {
    awaitLock()
    const state = world.postgres
    const holder = holderIn(world)
    if (sinks !== 'clickhouse' && holder !== from) return holder === to
    const given = sinks === 'clickhouse' ? givenOn(world, from, to) : world.given
    if (given === null) return true
    if (sinks !== 'clickhouse') world.claimed = to
    if (state === null || holder !== from) {
      world.commit(state, given)
      return true
    }
    const inFlight = state.inFlight === null ? null : { ...state.inFlight, recordedBy: state.inFlight.recordedBy ?? from }
    world.commit({ ...state, inFlight, epoch: state.epoch + 1n, owner: TAKEN_OVER, pipeline: to }, given)
    return true
  }
  const isOurs = await life.step(moveEntry, { onServerFailure })
  if (sinks !== 'timescaledb' && isOurs) await giveTable()
}

/** To whom progress was given with this; null where it was before. */
function givenOn({ given }: World, from: string, to: string): ReadonlyMap<string, string> | null {
  const [former, own] = [given.get(from) ?? from, given.get(to) ?? to]
  if (former === to) return null
  if (former !== from || (own !== to && own !== from)) throw new OperationError('a third pipeline was given the progress of one of the two', { code: 'ERR_TABLE_TAKEN' })
  const all = [[from, from], [to, to], ...given] as const
  return new Map(all.map(([name, holder]) => [name, holder === from ? to : holder]))
}

/** Gives the table where it has not gone from hand to hand since the command looked; where the other one has it, what is left of a command before. */
async function takeTurns(world: World, life: ProcessLife, { from, to, since }: Pick<ModelTakeover, 'from' | 'to'> & { readonly since: number }): Promise<void> {
  await life.step(() => {
    if (world.holder !== from || world.timesGiven !== since) return
    world.holder = to
    world.timesGiven++
  })
  await life.step(() => {
    const { turn } = world
    if (world.holder !== to || turn === null || turn.scope.pipeline === to) return
    world.turn = { scope: { ...turn.scope, pipeline: to }, epoch: turn.epoch + 1n, attempt: 0, holder: `taken over by ${life.generation}` }
  })
}
