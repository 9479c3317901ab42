import { expectTypeOf, it } from 'vitest'
import type { DimensionValue, MetricsLayer, MetricValue } from '../../src/index.ts'
import type { shop } from './shop.ts'

type ShopLayer = MetricsLayer<(typeof shop)['definition']>

it('a question that names what the definition does not have is no question', () => {
  const questions = (layer: ShopLayer) => [
    layer.ask({ metrics: ['orders', 'basket'], period: 'last_7_days', by: ['country'], where: { channel: ['web'] }, top: { n: 3, by: 'revenue' } }),
    // @ts-expect-error there is no metric "sales"
    layer.ask({ metrics: ['sales'], period: 'today' }),
    // @ts-expect-error there is no dimension "city"
    layer.ask({ metrics: ['orders'], period: 'today', by: ['city'] }),
    // @ts-expect-error there is no dimension "city"
    layer.ask({ metrics: ['orders'], period: 'today', where: { city: 'Oslo' } }),
    // @ts-expect-error there is no period "someday"
    layer.ask({ metrics: ['orders'], period: 'someday' }),
    // @ts-expect-error there is no grain "fortnight"
    layer.ask({ metrics: ['orders'], period: 'today', grain: 'fortnight' }),
  ]

  expectTypeOf(questions).parameter(0).toEqualTypeOf<ShopLayer>()
})

it('a row has what was asked for', () => {
  const answer = async (layer: ShopLayer) => (await layer.ask({ metrics: ['orders'], period: 'today', by: ['country'] })).rows[0]

  expectTypeOf(answer).returns.resolves.exclude<undefined>().toHaveProperty('orders').toEqualTypeOf<MetricValue>()
  expectTypeOf(answer).returns.resolves.exclude<undefined>().toHaveProperty('country').toEqualTypeOf<DimensionValue>()
  expectTypeOf(answer).returns.resolves.exclude<undefined>().not.toHaveProperty('revenue')
})
