import { SwarmError } from '../../src/index.ts'

/** @throws SwarmError BAD_USAGE when the text is not HOST:PORT */
export function parseHttpAddress(text: string): { readonly host: string; readonly port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:\s]+)):(\d{1,5})$/.exec(text)
  const port = Number(match?.[3])
  const host = match?.[1] ?? match?.[2]
  if (host !== undefined && port <= 65_535) return { host, port }
  throw new SwarmError(
    'BAD_USAGE',
    `${JSON.stringify(text)} is not HOST:PORT; for example 127.0.0.1:9100 or [::1]:9100`,
  )
}

/** HOST:PORT, with brackets where they are needed. */
export function formatAddress(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
