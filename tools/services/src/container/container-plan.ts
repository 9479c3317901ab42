/** How docker/services.compose.yaml gives a service. */
export interface ContainerPlan {
  /** Its services there. */
  readonly services: readonly string[]
  /** Variables of the file that say at which ports of this machine they are reached. */
  readonly ports: readonly string[]
  /** What programs are told of it, once the ports are chosen. */
  readonly variables: (ports: readonly number[]) => Readonly<Record<string, string>>
}
