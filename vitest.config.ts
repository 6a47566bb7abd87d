import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: './test/support/bundle.ts',
    // Files run side by side on at most two workers: tests wait for observations, and starved ones wait long.
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 30_000,
    reporters: ['default', './test/support/summary-reporter.ts'],
    coverage: { include: ['src/**', 'node/**'] },
  },
})
