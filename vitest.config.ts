import { defineConfig } from 'vitest/config';

/** A software GPU compiles shaders slowly; a hung test still has to end. `RECKON_TEST_PATIENCE`: seconds, for a busy machine. */
const PATIENCE = 1000 * Number(process.env.RECKON_TEST_PATIENCE ?? 120);

export default defineConfig({
  test: {
    // Dawn reads its driver from the process's environment and cannot be unloaded: processes, not threads.
    pool: 'forks',
    maxWorkers: 2,
    projects: [
      {
        extends: true,
        test: {
          name: 'node',
          environment: 'node',
          include: ['test/**/*.test.ts'],
          exclude: ['test/browser/**', 'test/package/**'],
          testTimeout: PATIENCE,
          hookTimeout: PATIENCE,
          isolate: false,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        // Browsers with software GPUs take every core there is: one file at a time, after everything else.
        test: {
          name: 'browser',
          environment: 'node',
          include: ['test/browser/**/*.test.ts', 'test/package/**/*.test.ts'],
          testTimeout: 3 * PATIENCE,
          hookTimeout: PATIENCE,
          maxWorkers: 1,
          fileParallelism: false,
          isolate: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
