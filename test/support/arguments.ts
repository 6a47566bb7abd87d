import { type ParseArgsConfig, parseArgs } from 'node:util'

/** The arguments of a bench or a campaign; with wrong ones the process says so in a sentence, and ends with 2. */
export function commandArguments<const T extends ParseArgsConfig>(config: T): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config)
  } catch (cause) {
    console.error(`${cause instanceof Error ? cause.message : String(cause)}\nAdd --help to see what there is.`)
    process.exit(2)
  }
}
