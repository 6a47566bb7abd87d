import { type Command, Option } from 'commander'
import type { ParamsOf, TaskRecord, TaskState } from '../../src/index.ts'
import { action, withDaemon } from './command.ts'
import { parseCount } from './values.ts'

interface TasksFlags {
  readonly state?: TaskState
  readonly tenant?: string
  readonly limit: number
  readonly after?: string
}

const STATES = ['accepted', 'waiting', 'offered', 'running', 'completed', 'failed', 'cancelled', 'dead-lettered']

/** More than a person reads, and than a script should take in one document. */
const LIMIT_MAX = 100_000
const LIMIT_DEFAULT = 100

/** Rows of one answer. */
const PAGE_MAX = 1_000

export function registerTasks(program: Command): void {
  program
    .command('tasks')
    .description('the tasks that this node keeps, in the order in which they were submitted')
    .addOption(new Option('--state <state>', 'only those').choices(STATES))
    .option('--tenant <tenant>', 'only those of this tenant')
    .option('--limit <n>', 'how many', parseCount(1, LIMIT_MAX), LIMIT_DEFAULT)
    .option('--after <id>', 'only those after this task: the page after the one that ended with it')
    .action(
      action<TasksFlags>(async (context, { state, tenant, limit, after }) => {
        const filter = { ...(state === undefined ? {} : { state }), ...(tenant === undefined ? {} : { tenant }) }
        const { describeTasks } = await import('./task-words.ts')
        const report = await withDaemon(context, async (client) => {
          const ask = (page: ParamsOf<'task.list'>) => client.call('task.list', { ...filter, ...page })
          const tasks: TaskRecord[] = []
          let next = after
          do {
            const page = {
              limit: Math.min(PAGE_MAX, limit - tasks.length),
              ...(next === undefined ? {} : { after: next }),
            }
            const answer = await ask(page)
            tasks.push(...answer.tasks)
            next = answer.next
          } while (next !== undefined && tasks.length < limit)
          return next === undefined ? { tasks } : { tasks, next }
        })
        context.terminal.result(report, ({ tasks }) => describeTasks(tasks, context.terminal, Date.now()))
        if ('next' in report) context.terminal.say(`There are more: --after ${report.next}`)
        return 0
      }),
    )
}
