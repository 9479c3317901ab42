import { ValidationError } from '@smart-whale/interfaces'
import type { GraphqlAnswer, GraphQLLayer } from '../graphql/graphql-options.ts'

/** Runs GraphQL documents against a layer, for callers in the same process: with its limits, without HTTP. */
export class AnalyticsGraphQLService {
  readonly #layer: Pick<GraphQLLayer, 'resolveQuery' | 'getSchema'>

  constructor(layer: Pick<GraphQLLayer, 'resolveQuery' | 'getSchema'>) {
    this.#layer = layer
  }

  /**
   * Answers a document. What goes wrong inside of it stands in `errors`, as GraphQL has it.
   * @throws ValidationError for a document that is no text
   */
  async executeAnalyticsQuery(query: string, variables?: Record<string, unknown>): Promise<GraphqlAnswer> {
    if (typeof query === 'string' && query.trim() !== '') return this.#layer.resolveQuery(query, variables)
    const message = `must be a GraphQL document, got ${query === '' ? 'an empty text' : typeof query}`
    throw new ValidationError(`query ${message}`, { issues: [{ path: ['query'], message }] })
  }

  /** The schema that documents may use, as SDL. */
  getSchema(): string {
    return this.#layer.getSchema()
  }
}
