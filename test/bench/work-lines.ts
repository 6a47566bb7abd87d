/** Lines out of bytes, as cheaply as a client can: the benches are to measure the daemon. */
export class LineReader {
  readonly #onLine: (text: string) => void
  #rest = ''

  constructor(onLine: (text: string) => void) {
    this.#onLine = onLine
  }

  push(bytes: Buffer): void {
    const text = this.#rest + bytes.toString('utf8')
    let from = 0
    for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', from)) {
      this.#onLine(text.slice(from, end))
      from = end + 1
    }
    this.#rest = text.slice(from)
  }
}

export function line(id: number, method: string, params: unknown): string {
  return `{"jsonrpc":"2.0","id":${id},"method":"${method}","params":${JSON.stringify(params)}}\n`
}
