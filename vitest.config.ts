import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

// Five kinds of proof. `unit` reads the sources and moves a fake clock; `structure` holds the rules of the house;
// `integration` imports the built packages by name and logs in to a real Postgres behind the local Lakebase; `packaging`
// packs, installs and runs them as a user gets them; `slow` is what `npm run test:all` adds.

/** Other people's commands: each start takes seconds. */
const migrationTools = "integration/tools/!(cli).test.ts";

export default defineConfig({
  test: {
    allowOnly: false,
    // By default one processor is left to the editor; most of a test's time here is spent waiting for Postgres.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    projects: [
      {
        define: { __PACKAGE_VERSION__: JSON.stringify("0.0.0-test") },
        test: {
          name: "unit",
          include: ["packages/*/src/**/*.test.ts", "packages/*/test/**/*.test.ts"],
          // A property with a hundred inputs takes its time on a machine that does other things too.
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: "structure",
          include: ["integration/workshop/**/*.test.ts"],
        },
      },
      {
        test: {
          name: "integration",
          include: ["integration/**/*.test.ts"],
          exclude: ["integration/{workshop,packaging,slow}/**", migrationTools, "**/node_modules/**"],
          // Nothing waits so long by itself; a machine that does other things too may take it.
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: "packaging",
          include: ["integration/packaging/**/*.test.ts"],
          globalSetup: ["integration/packaging/consumer.ts"],
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
      {
        test: {
          name: "slow",
          include: ["integration/slow/**/*.test.ts", migrationTools],
          testTimeout: 900_000,
          hookTimeout: 900_000,
        },
      },
    ],
  },
});
