import { defineConfig } from "vitest/config";

// Two kinds of proof. `unit` reads the sources and moves a fake clock; `integration` imports the built packages by name
// and logs in to a real Postgres behind the local Lakebase.
export default defineConfig({
  test: {
    projects: [
      {
        define: { __PACKAGE_VERSION__: JSON.stringify("0.0.0-test") },
        test: {
          name: "unit",
          include: ["packages/*/src/**/*.test.ts", "packages/*/test/**/*.test.ts"],
        },
      },
      {
        test: {
          name: "integration",
          include: ["integration/**/*.test.ts"],
          exclude: ["integration/slow/**", "**/node_modules/**"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
