export {
  type Candidate,
  type CandidateChoice,
  type CandidateOptions,
  type CandidateRequest,
  chooseCandidates,
  type Obstacle,
  SCORE_WEIGHTS,
  type ScoreWeights,
} from './candidates.ts'
export { Directory } from './core.ts'
export {
  type Attributes,
  type Expression,
  type ExpressionFault,
  evaluate,
  parseExpression,
} from './expression.ts'
export { DIRECTORY_BODIES, type DigestBody, type DirectoryMessage, digestBody, type SkillSummary } from './messages.ts'
export { checkDirectoryParams, DIRECTORY_PROFILES, type DirectoryParams } from './params.ts'
export type {
  DirectoryCore,
  DirectoryEffect,
  DirectoryEntry,
  DirectoryEvent,
  DirectoryInput,
  DirectoryObservation,
  DirectoryOptions,
  DirectoryView,
  JudgeDigest,
  JudgedDigest,
  MemberProfile,
  OwnReport,
} from './types.ts'
