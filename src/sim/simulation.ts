import { assert, type Millis, type NodeId, type Observation, Random } from '../kernel/index.ts'
import type { LinkDownReason, MessageKind } from '../wire/index.ts'
import type { Checker, Violation } from './checker.ts'
import { MachineClock } from './clock.ts'
import { EventQueue } from './event-queue.ts'
import type { Latency } from './latency.ts'
import { type Machine, Process } from './machine.ts'
import { MemoryLog } from './memory-log.ts'
import { Network, TRANSPORT, type TransportParams } from './network.ts'
import { CALM, Paths, type Weather } from './paths.ts'
import { SimPort } from './port.ts'
import type { Boot, Host, Program } from './program.ts'
import { Trace } from './trace.ts'

export interface SimulationOptions<P extends Program> {
  readonly seed: string
  readonly machines: number
  readonly latency: Latency
  readonly weather?: Weather
  readonly transport?: Partial<TransportParams>
  readonly boot: Boot<P>
  /** The key of a machine; two machines with one are twins. By default each has its own. */
  readonly nodeOf?: (machine: number) => NodeId
  /** Hears a readable line for everything that happens. */
  readonly onTrace?: (line: string) => void
}

interface Running<P> {
  readonly program: P
  readonly process: Process
  readonly port: SimPort
}

/** What a machine is called on the wire when nobody says otherwise. */
export function simNodeId(machine: number): NodeId {
  return `n${machine}` as NodeId
}

export function simAddress(machine: number): string {
  return `/ip4/10.${machine >> 16}.${(machine >> 8) & 255}.${machine & 255}/tcp/4001`
}

/** One run: machines, what is between them, and time. Faults and checkers act on it from outside. */
export class Simulation<P extends Program> {
  readonly queue = new EventQueue()
  readonly random: Random
  readonly trace: Trace
  readonly paths: Paths
  readonly network: Network
  readonly machines: readonly Machine[]
  readonly violations: Violation[] = []
  readonly #boot: Boot<P>
  readonly #checkers: Checker<P>[] = []
  readonly #running: (Running<P> | undefined)[] = []
  readonly #starts: number[] = []

  constructor(options: SimulationOptions<P>) {
    this.random = new Random(options.seed)
    this.trace = new Trace(options.onTrace)
    this.paths = new Paths(options.machines, options.latency, options.weather ?? CALM, this.random.fork('paths'))
    this.network = new Network({
      queue: this.queue,
      paths: this.paths,
      random: this.random.fork('network'),
      trace: this.trace,
      params: { ...TRANSPORT, ...options.transport },
      watcher: {
        onSend: (from, to, kind, body) => this.#onSend(from, to, kind, body),
        onLinkDown: (machine, peer, reason) => this.#onLinkDown(machine, peer, reason),
        onPublish: (from, kind, body) => this.#onPublish(from, kind, body),
        onForward: (from, kind) => this.#onForward(from, kind),
      },
    })
    this.#boot = options.boot
    const nodeOf = options.nodeOf ?? simNodeId
    this.machines = Array.from({ length: options.machines }, (_, index) => this.#build(index, nodeOf(index)))
    for (const machine of this.machines) this.network.addMachine(machine)
  }

  get now(): Millis {
    return this.queue.now
  }

  check(checker: Checker<P>): void {
    this.#checkers.push(checker)
  }

  violate(clause: string, text: string, machine?: number): void {
    this.violations.push({ clause, at: this.now, machine, text })
  }

  /** The program on a machine, if one runs. */
  programOf(machine: number): P | undefined {
    return this.#running[machine]?.program
  }

  processOf(machine: number): Process | undefined {
    return this.#running[machine]?.process
  }

  isRunning(machine: number): boolean {
    return this.#running[machine] !== undefined
  }

  machine(index: number): Machine {
    const machine = this.machines[index]
    assert(machine !== undefined, 'no such machine', { index })
    return machine
  }

  /** Starts a program on a machine on which none runs. */
  start(index: number): void {
    if (this.isRunning(index)) return
    const machine = this.machine(index)
    const start = (this.#starts[index] ?? 0) + 1
    this.#starts[index] = start
    machine.powered = true
    const process = new Process(this.queue, machine.clock, () => this.#afterTurn(machine))
    const random = machine.random.fork(`start ${start}`)
    const port = new SimPort(this.network, machine, process, random.fork('port'))
    this.network.plug(index, port)
    this.trace.record('boot', this.now, index, start, undefined, () => `${machine.node} start ${start}`)
    const program = this.#boot(this.#hostOf(machine, start, process, port, random.fork('program')))
    port.attach(program)
    machine.log.attach(
      (run) => process.later(run),
      () => program,
    )
    this.#running[index] = { program, process, port }
    for (const checker of this.#checkers) checker.onBoot?.(machine, program)
    process.begin(program)
  }

  /** Ends the process on a machine. `kill`: the kernel resets its connections; `power`: nobody is told. */
  stop(index: number, how: 'kill' | 'power'): void {
    const running = this.#running[index]
    if (running === undefined) return
    const machine = this.machine(index)
    machine.powered = how === 'kill'
    this.#running[index] = undefined
    this.network.unplug(index)
    running.process.stop()
    running.port.shut()
    machine.log.crash()
    this.trace.record('down', this.now, index, how === 'kill' ? 1 : 2, undefined, () => how)
    for (const checker of this.#checkers) checker.onDown?.(machine)
  }

  pause(index: number, forMs: number): void {
    const process = this.processOf(index)
    if (process === undefined) return
    this.trace.record('pause', this.now, index, forMs, undefined, () => `${forMs.toFixed(0)} ms`)
    process.pause((this.now + forMs) as Millis)
  }

  /** Blocks one direction; what is linked across it will notice in its own time. */
  block(from: number, to: number): void {
    this.paths.block(from, to)
    this.network.pathBlocked(from, to)
  }

  unblock(from: number, to: number): void {
    this.paths.unblock(from, to)
    this.network.pathHealed(from, to)
  }

  fault(machine: number, value: number, text: () => string): void {
    this.trace.record('fault', this.now, machine, value, undefined, text)
  }

  /** Lets virtual time pass, until then or until the first violation. */
  run(until: number): void {
    try {
      this.queue.run(until as Millis, () => this.violations.length > 0)
    } catch (error) {
      const text = error instanceof Error ? `${error.stack ?? error.message}${detailsOf(error)}` : String(error)
      this.violate('no-throw', text)
    }
  }

  #build(index: number, node: NodeId): Machine {
    const random = this.random.fork(`machine ${index}`)
    const clock = new MachineClock(this.now, random.between(0, 1e9), random.between(-500, 500))
    clock.setRate(this.now, 1 + random.between(-50e-6, 50e-6))
    return {
      index,
      node,
      address: simAddress(index),
      region: this.paths.latency.regionOf(index),
      clock,
      log: new MemoryLog(this.queue, random.fork('log')),
      random,
      powered: false,
    }
  }

  #hostOf(machine: Machine, start: number, process: Process, port: SimPort, random: Random): Host {
    return {
      node: machine.node,
      machine: machine.index,
      start,
      address: machine.address,
      region: machine.region,
      random,
      network: port,
      log: machine.log,
      now: () => machine.clock.monotonic(this.queue.now),
      wallNow: () => machine.clock.wall(this.queue.now),
      schedule: (at) => process.schedule(at),
      observe: (observation) => this.#onObserve(machine, observation),
    }
  }

  #afterTurn(machine: Machine): void {
    const program = this.#running[machine.index]?.program
    if (program === undefined) return
    for (const checker of this.#checkers) checker.onTurn?.(machine, program)
  }

  #onObserve(machine: Machine, observation: Observation): void {
    const value = Trace.hashText(observation.kind)
    this.trace.record('observe', this.now, machine.index, value, undefined, () => JSON.stringify(observation))
    for (const checker of this.#checkers) checker.onObserve?.(machine, observation)
  }

  #onSend(from: Machine, to: NodeId, kind: MessageKind, body: Uint8Array): void {
    for (const checker of this.#checkers) checker.onSend?.(from, to, kind, body)
  }

  #onLinkDown(machine: Machine, peer: NodeId, reason: LinkDownReason): void {
    for (const checker of this.#checkers) checker.onLinkDown?.(machine, peer, reason)
  }

  #onPublish(from: Machine, kind: MessageKind, body: Uint8Array): void {
    for (const checker of this.#checkers) checker.onPublish?.(from, kind, body)
  }

  #onForward(from: Machine, kind: MessageKind): void {
    for (const checker of this.#checkers) checker.onForward?.(from, kind)
  }
}

function detailsOf(error: Error): string {
  const { details } = error as { details?: unknown }
  return details === undefined ? '' : ` ${JSON.stringify(details)}`
}
