import type { Reporter, SerializedError, TestModule } from 'vitest/node'

/** The last line of a run, plain, for people and scripts that read only that: `N passed, N failed`, and `, N skipped` if any were. */
export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    let passed = 0
    let skipped = 0
    // What broke outside of any test fails the run too, and is counted.
    let failed = unhandledErrors.length
    for (const module of modules) {
      const states = [...module.children.allTests()].map((test) => test.result().state)
      passed += states.filter((state) => state === 'passed').length
      skipped += states.filter((state) => state === 'skipped').length
      const broken = states.filter((state) => state === 'failed').length
      failed += broken === 0 && module.state() === 'failed' ? 1 : broken
    }
    const more = skipped === 0 ? '' : `, ${skipped} skipped`
    // After the other reporters, which print in the same turn.
    process.on('exit', () => process.stdout.write(`${passed} passed, ${failed} failed${more}\n`))
  }
}
