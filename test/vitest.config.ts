import { defineConfig } from 'vitest/config';

/**
 * `unit`: everything that needs no guest, files side by side. `e2e`: real guests, one file at a time, since two
 * emulated machines on a small host slow each other down by more than their time limits allow for.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          root: new URL('..', import.meta.url).pathname,
          include: ['test/**/*.test.ts'],
          exclude: ['test/e2e/**', 'node_modules/**'],
          testTimeout: 20_000,
        },
      },
      {
        test: {
          name: 'e2e',
          root: new URL('..', import.meta.url).pathname,
          include: ['test/e2e/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 300_000,
          hookTimeout: 3_600_000,
        },
      },
    ],
  },
});
