import { createHash } from 'node:crypto'

/** What a node without a key seals its awards with: nobody in a test tries to reckon another's. */
export function sealerOf(node: string): (text: string) => number {
  return (text) => createHash('sha256').update(`${node} ${text}`).digest().readUIntBE(0, 6)
}
