import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { configJsonSchema, configReference, PROFILES, profileFile } from '../../src/config/index.ts'

const folder = join(import.meta.dirname, '../../config')

/** CF-9. Written anew by `npx vitest run test/golden/config.test.ts -u`. */
describe('generated files', () => {
  it('the JSON Schema is up to date', async () => {
    const text = `${JSON.stringify(configJsonSchema(), undefined, 2)}\n`
    await expect(text).toMatchFileSnapshot(join(folder, 'swarm-node.schema.json'))
  })

  it('the reference is up to date', async () => {
    await expect(configReference()).toMatchFileSnapshot(join(folder, 'REFERENCE.md'))
  })

  it.each(PROFILES)('the profile %s is up to date', async (profile) => {
    await expect(profileFile(profile)).toMatchFileSnapshot(join(folder, 'profiles', `${profile}.yaml`))
  })
})
