import type { TaskRecord } from '../../src/index.ts'
import { eventually } from '../support/eventually.ts'
import { type Check, memberNamed, othersSee } from './check.ts'
import type { ContainerSwarm } from './container-swarm.ts'

/** A lease is 10 s, the run 10 s, and the containers share the machine. */
const TAKEN_OVER_MS_MAX = 60_000
const RETURN_MS_MAX = 30_000
const DONE_MS_MAX = 60_000
/** Longer than it takes an executor that is connected again to say what became of its tasks. */
const LATE_ANSWER_MS = 3_000
const TASKS = 20

/** Agents and their tasks: in this order, each with all members up. What agents they attach stays. */
export const WORK_CHECKS: readonly Check[] = [
  { what: 'a task given in one region is done in the other', run: acrossRegions },
  { what: 'an executor cut off at work: another does it, and one result counts', run: executorCutOff },
  { what: 'a coordinator killed: its tasks are all there when it is back', run: coordinatorKilled },
]

async function acrossRegions(swarm: ContainerSwarm): Promise<string> {
  await swarm.attach('east-1', 'shout', 'tr a-z A-Z')
  const startMs = Date.now()
  const output = await swarm.exec('west-1', 'swarm-node', 'submit', 'shout', '--input', 'hello', '--wait')
  if (output !== 'HELLO') throw new Error(`the output is ${output}`)
  return `${output} after ${Date.now() - startMs} ms, the command's start included`
}

async function executorCutOff(swarm: ContainerSwarm): Promise<string> {
  const member = memberNamed(swarm, 'west-2')
  const script = 'sleep 10; cat /etc/hostname'
  await swarm.attach(member.name, 'slow', script)
  const task = await swarm.exec('gate', 'swarm-node', 'submit', 'slow')
  const record = (): Promise<TaskRecord> => swarm.ask('gate', 'task', 'get', task)
  await eventually('the task to run', async () => (await record()).state === 'running')
  await swarm.attach('east-2', 'slow', script)
  const startMs = Date.now()
  await swarm.disconnect(member.name, 'west')
  const ended = await eventually('the task to end', async () => endOf(await record()), TAKEN_OVER_MS_MAX)
  const tookMs = Date.now() - startMs
  await swarm.connect(member.name, 'west')
  await othersSee(swarm, member, 'alive', RETURN_MS_MAX)
  await new Promise((resolve) => setTimeout(resolve, LATE_ANSWER_MS))
  const after = await record()
  for (const { state, output, executions } of [ended, after]) {
    if (state !== 'completed' || output !== 'east-2' || executions !== 2) {
      throw new Error(`it ${state} with ${JSON.stringify(output)} after ${executions} executions`)
    }
  }
  return `done by ${ended.output} ${(tookMs / 1000).toFixed(1)} s after the cut, ${after.executions} executions`
}

async function coordinatorKilled(swarm: ContainerSwarm): Promise<string> {
  const member = memberNamed(swarm, 'east-2')
  await swarm.attach('west-1', 'count', 'sleep 1; wc -c')
  const submit = `for i in $(seq ${TASKS}); do swarm-node submit count --input "$i" || exit 1; done`
  const tasks = (await swarm.exec(member.name, 'sh', '-c', submit)).split('\n')
  if (new Set(tasks).size !== TASKS) throw new Error(`${TASKS} were given, and it names ${tasks.join(' ')}`)
  const open = (await recordsOf(swarm, member.name, tasks)).filter((record) => endOf(record) === undefined)
  if (open.length === 0) throw new Error('all had ended before it could be killed')
  await swarm.kill(member.name)
  await swarm.startAgain(member)
  const startMs = Date.now()
  await eventually(
    'all tasks to be completed',
    async () => (await recordsOf(swarm, member.name, tasks)).every(({ state }) => state === 'completed'),
    DONE_MS_MAX,
  )
  const took = ((Date.now() - startMs) / 1000).toFixed(1)
  return `${open.length} of ${TASKS} were open, all completed ${took} s after it was back`
}

async function recordsOf(
  swarm: ContainerSwarm,
  name: string,
  tasks: readonly string[],
): Promise<readonly TaskRecord[]> {
  const all = `for task in ${tasks.join(' ')}; do swarm-node task get $task --json || exit 1; done`
  const lines = (await swarm.exec(name, 'sh', '-c', all)).split('\n')
  return lines.map((line) => JSON.parse(line) as TaskRecord)
}

/** The record if the task has ended. */
function endOf(record: TaskRecord): TaskRecord | undefined {
  return record.endedAt === undefined ? undefined : record
}
