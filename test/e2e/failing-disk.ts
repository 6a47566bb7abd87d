import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

/** Loaded before a daemon: its disk takes no more writes of the log from when the file named by DISK_FAILS_WITH is there. */
const failsWith = process.env.DISK_FAILS_WITH ?? ''
const { write } = fs

/** The log writes at an offset; nothing else does. */
const LOG_WRITE_ARGUMENTS = 6

fs.write = ((...args: Parameters<typeof write>) => {
  if (args.length < LOG_WRITE_ARGUMENTS || !fs.existsSync(failsWith)) return write(...args)
  const done = args.at(-1) as unknown as (error: NodeJS.ErrnoException) => void
  setImmediate(() => done(Object.assign(new Error('EIO: i/o error, write'), { code: 'EIO' })))
}) as typeof write
syncBuiltinESMExports()
