export {
  type Attributes,
  EXPRESSION_CHARS_MAX,
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
