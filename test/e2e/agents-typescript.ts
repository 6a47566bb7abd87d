/** An agent as its author writes it: `node agents-typescript.ts SOCKET`. Skill `sum`; leaves on SIGTERM. */
import { connect } from '../../src/index.ts'

const swarm = await connect({ socket: process.argv[2] })
const agent = await swarm.attach(
  { name: 'summer', skills: ['sum'], slots: 2 },
  async ({ input, attempt }, { progress }) => {
    progress({ fraction: 0.5, message: 'half' })
    return { sum: (input as readonly number[]).reduce((a, b) => a + b, 0), attempt }
  },
  { onAttached: (name) => process.stdout.write(`attached ${name}\n`) },
)
process.once('SIGTERM', () => void agent.detach())
await agent.ended
swarm.close()
