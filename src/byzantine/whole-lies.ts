import type { LogRecord, Message, Rules } from '../consensus/index.ts'
import { acting, inHalf, requestBy, toAll } from './lying.ts'
import type { Behaviour } from './types.ts'

/** Repeats what it once sent, at random. */
function replaying(): Behaviour {
  const past: Message[] = []
  return {
    name: 'replay',
    sends: (host, to, message) => {
      if (past.length < 60) past.push(message)
      else past[host.random.below(60)] = message
      return [{ to, message }]
    },
    everyMs: 8,
    acts: (host) => (past.length === 0 ? [] : toAll(host, host.random.pick(past))),
  }
}

/** Bytes that are no message: cut short, too long, of no known case, and noise. */
const malformed = acting('malformed', 10, (host) => {
  const noise = Uint8Array.from({ length: 1 + host.random.below(200) }, () => host.random.below(256))
  const cut = Uint8Array.of(7, 99, 111, 117, 110, 99, 105, 108, 0, 200)
  return [...toAll(host, noise), ...toAll(host, cut), ...toAll(host, new Uint8Array(300_000))]
})

/** A correct member would notice that it once said something else. */
const unashamed = (rules: Rules): Rules => ({ ...rules, mindsOwnGhost: () => false })

/** Forgets at every start what it has signed since an early hour, and does not say so. */
function restored(): Behaviour {
  let backup: readonly LogRecord[] | undefined
  return {
    name: 'old-backup',
    everyMs: 60,
    rules: unashamed,
    remembers: (host) => {
      backup ??= [...host.disk.durable]
      return backup
    },
  }
}

/** Lies about everything it says, and about what it is. */
export const WHOLE_LIES: Readonly<Record<string, () => Behaviour>> = {
  silent: () => ({ name: 'silent', sends: () => [] }),
  'withhold-from-subset': () => ({
    name: 'withhold-from-subset',
    sends: (host, to, message) => (inHalf(host, to) ? [{ to, message }] : []),
  }),
  'late-everything': () => ({ name: 'late-everything', delays: () => 55 }),
  replay: replaying,
  malformed: () => malformed,
  amnesia: () => ({ name: 'amnesia', everyMs: 60, rules: unashamed, remembers: () => [] }),
  'old-backup': restored,
  twin: () => ({ name: 'twin', twin: true, rules: unashamed }),
  'request-flood': () =>
    acting('request-flood', 10, (host) => {
      const requests = Array.from({ length: 20 }, (_, i) =>
        requestBy(host.signer, host.random.below(400) + 1, `w:f${i}`, 901),
      )
      return toAll(host, { kind: 'request', requests })
    }),
}
