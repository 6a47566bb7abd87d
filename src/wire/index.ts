export { ByteReader, ByteWriter } from './bytes.ts'
export {
  COORDINATE_AXIS_MAX,
  COORDINATE_ERROR_MAX,
  type NetworkCoordinate,
  networkCoordinate,
  predictedRttMs,
} from './coordinates.ts'
export type { DiskEntry, DiskFault, DiskFile, DiskOp, DiskPort } from './disk-port.ts'
export {
  ACCOUNT_BYTES_MAX,
  type Applying,
  CHUNK_BYTES_MAX,
  type ClientAccount,
  type Height,
  type Machine,
  type MachineRefusal,
  OPERATION_BYTES_MAX,
} from './machine-port.ts'
export { decodeMessage, encodeMessage, type RawMessage } from './message.ts'
export {
  LANES,
  type Lane,
  MESSAGE_KINDS,
  type MessageKind,
  type MessageKindRules,
  rulesOf,
} from './message-kinds.ts'
export type {
  LinkDownReason,
  LogHandler,
  LogIndex,
  LogPort,
  LogRefusal,
  NetworkHandler,
  NetworkPort,
  PeerCredentials,
  SendOutcome,
} from './ports.ts'
export {
  bytes,
  count,
  decode,
  dictionary,
  encode,
  encodeForCopy,
  f64,
  fixedBytes,
  flag,
  hex,
  list,
  nodeId,
  only,
  optional,
  record,
  type Schema,
  type Shape,
  text,
  u8,
  u32,
  type Value,
  variant,
  word,
} from './shape.ts'
export { SIGNATURE_BYTES, type Statement, statement } from './statement.ts'
export { negotiateVersion, PROTOCOL_PREFIX, PROTOCOL_VERSION, PROTOCOL_VERSION_OLDEST } from './versions.ts'
