import { join } from 'node:path'
import { KeyPair, readSecretFile, SwarmError, writeSecretFile } from '../src/index.ts'

const SEED_BYTES = 32

/** What a node signs with. Both keys are 32-byte Ed25519 seeds in files of their own, mode 0600. */
export interface NodeKeys {
  /** Its identity: this file is the node. */
  readonly node: KeyPair
  /** Whether the identity was made just now: nobody has seen a word of it. */
  readonly isNew: boolean
  /** The organisation's key, at the node that founded the swarm. */
  authority(): KeyPair | undefined
  /** Makes the organisation's key, for a founder. */
  makeAuthority(): KeyPair
}

/** @throws SwarmError DATA_DIRECTORY_UNREADABLE */
export function openKeys(data: string): NodeKeys {
  const nodePath = join(data, 'node.key')
  const authorityPath = join(data, 'authority.key')
  let authority = read(authorityPath)
  const node = read(nodePath)
  return {
    node: node ?? make(nodePath),
    isNew: node === undefined,
    authority: () => authority,
    makeAuthority: () => {
      authority ??= make(authorityPath)
      return authority
    },
  }
}

function read(path: string): KeyPair | undefined {
  const seed = readSecretFile(path)
  if (seed === undefined) return undefined
  if (seed.length === SEED_BYTES) return KeyPair.fromSeed(seed)
  throw new SwarmError(
    'DATA_DIRECTORY_UNREADABLE',
    `${path} holds ${seed.length} bytes, a key has ${SEED_BYTES}: put the right file back from a backup`,
    { data: { path } },
  )
}

function make(path: string): KeyPair {
  const pair = KeyPair.generate()
  writeSecretFile(path, pair.exportSeed())
  return pair
}
