import { LABELS_MAX } from './params.ts'
import { ROLES, type Role } from './types.ts'

const NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$/
const LABEL_KEY = /^[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,30}[A-Za-z0-9])?$/
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for.
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/

/** Whether a swarm or an organisation may be called so: it becomes part of topics, paths and metric labels. */
export function isName(text: string): boolean {
  return NAME.test(text)
}

/** Why these labels cannot stand in a certificate; undefined when they can. */
export function faultOfLabels(labels: Readonly<Record<string, string>>): string | undefined {
  const entries = Object.entries(labels)
  if (entries.length > LABELS_MAX) return `more than ${LABELS_MAX} labels`
  for (const [key, value] of entries) {
    if (!LABEL_KEY.test(key)) return `the label key ${JSON.stringify(key.slice(0, 40))} is not a name`
    if (UNPRINTABLE.test(value)) return `the label ${key} holds unprintable characters`
  }
  return undefined
}

/** The same roles, each once, in the order of {@link ROLES}: one spelling per set. */
export function orderedRoles(roles: readonly Role[]): readonly Role[] {
  return ROLES.filter((role) => roles.includes(role))
}

/** Whether roles stand in that one spelling. */
export function areOrderedRoles(roles: readonly Role[]): boolean {
  return roles.every((role, i) => i === 0 || ROLES.indexOf(role) > ROLES.indexOf(roles[i - 1] as Role))
}

/** Text of a peer, made fit for a terminal or a log line: no control or direction characters. */
export function printable(text: string, lengthMax: number): string {
  return Array.from(text.slice(0, lengthMax), (character) => (UNPRINTABLE.test(character) ? ' ' : character)).join('')
}

/** Bytes of a swarm id or a hash, and back. */
export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}

export function fromHex(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, 'hex'))
}
