import manifest from '../package.json' with { type: 'json' }

/** The version of this program. */
export const VERSION: string = manifest.version

/** What this program calls itself to a daemon. */
export const CLIENT_NAME = `swarm-node/${VERSION}`
