export { actOf, type CertificateOf, type Proposal, type Shown, shownOf } from './forms.ts'
export { CouncilMachine } from './machine.ts'
export {
  type Act,
  type ActKind,
  type ActOf,
  type CouncilResult,
  councilResultShape,
  decodeCouncilResult,
  decodeOperation,
  encodeOperation,
  type Operation,
} from './operations.ts'
export { type GovernedRow, type Overview, overviewOf, SECTIONS, type Section } from './overview.ts'
export { PARAMETERS, type ParameterRule } from './parameters.ts'
export { shareMax } from './seats.ts'
export type {
  CouncilState,
  Grant,
  OrganisationRecord,
  OverrideRecord,
  ParameterRecord,
  RevocationRecord,
  SeatRecord,
  TenantRecord,
} from './state.ts'
export type { CouncilFounding, CouncilPorts } from './types.ts'
