import { join } from 'node:path'
import { KeyPair, openDataDirectory, readSecretFile, SwarmError, writeSecretFile } from '../src/index.ts'

const SEED_BYTES = 32

/** What a node signs with. Both keys are 32-byte Ed25519 seeds in files of their own, mode 0600. */
export interface NodeKeys {
  /** Its identity: this file is the node. */
  readonly node: KeyPair
  /** Whether the identity was made just now: nobody has seen a word of it. */
  readonly isNew: boolean
  /** The organisation's key: at the node that founded the swarm, or wherever somebody put one ('authority create'). */
  authority(): KeyPair | undefined
  /** Makes the organisation's key, if there is none. */
  makeAuthority(): KeyPair
}

function authorityPathOf(data: string): string {
  return join(data, 'authority.key')
}

/**
 * The organisation's key in a data directory; undefined if there is none.
 *
 * @throws SwarmError DATA_DIRECTORY_UNREADABLE
 */
export function authorityOf(data: string): KeyPair | undefined {
  return read(authorityPathOf(data))
}

/**
 * Makes an organisation's key in a data directory where no node runs: one that does would not know of it.
 *
 * @throws SwarmError ALREADY_SO when there is one, DATA_DIRECTORY_IN_USE, DATA_DIRECTORY_UNREADABLE
 */
export function makeAuthority(data: string): KeyPair {
  const directory = openDataDirectory(data)
  try {
    const known = authorityOf(data)
    if (known === undefined) return make(authorityPathOf(data))
    throw new SwarmError('ALREADY_SO', `${authorityPathOf(data)} holds the key ${known.node} already`)
  } finally {
    directory.release()
  }
}

/** @throws SwarmError DATA_DIRECTORY_UNREADABLE */
export function openKeys(data: string): NodeKeys {
  const nodePath = join(data, 'node.key')
  const authorityPath = authorityPathOf(data)
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
