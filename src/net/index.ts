export { ADMISSION_PROTOCOL } from './admission.ts'
export type { ProviderTable } from './dht.ts'
export { createNetwork, Libp2pNetwork } from './network.ts'
export type {
  DhtOptions,
  JoinGrant,
  LaneTotals,
  MdnsOptions,
  NetworkClock,
  NetworkOptions,
  NetworkStats,
  RelayOptions,
} from './options.ts'
