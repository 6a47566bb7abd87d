import { appendFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { connect } from '../../src/index.ts'
import type { WorkInput } from './player.ts'

/**
 * An agent in TypeScript: stands for a server with a language model. It works at a request for as long as its tokens
 * take, and writes into its book what it has brought to an end, so that the swarm's own count can be checked.
 *
 * Usage: agent.ts SOCKET NAME SLOTS BOOK SKILL…
 */
const [socket = '', name = '', slots = '1', book = '', ...skills] = process.argv.slice(2)

let done = 0
const swarm = await connect({ socket })
await swarm.attach(
  { name, slots: Number(slots), skills: skills.map((skill) => ({ name: skill })) },
  async ({ task, input }, { signal }) => {
    await delay((input as WorkInput).serviceMs, undefined, { signal })
    appendFileSync(book, `${task}\n`)
    done += 1
    return { by: name, stamp: `${process.pid}-${done}` }
  },
)
