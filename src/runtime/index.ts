export { AdmissionDesk, type AdmissionDeskOptions, type TicketRequest } from './admission-desk.ts'
export { Alarm, type Clock, mustTellDates, realClock } from './clock.ts'
export { EXIT_INVARIANT, writeCrashReport } from './crash.ts'
export { type CouncilTerms, openCell, openCouncil, type SignatureCheck, signatureCheck } from './governance.ts'
export { Lifecycle, type Part, type StopReport } from './lifecycle.ts'
export { NodeRuntime, type NodeRuntimeOptions } from './node-runtime.ts'
export { NodeState } from './node-state.ts'
export {
  type FoundingTerms,
  found,
  isInForce,
  issuerFor,
  needsTicket,
  recall,
  refreshed,
  renewed,
  type Standing,
  standing,
} from './standing.ts'
