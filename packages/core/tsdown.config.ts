import { defineConfig } from "tsdown";
import { packageBuild } from "../../tsdown.base.ts";
import manifest from "./package.json" with { type: "json" };

export default defineConfig(
  packageBuild({
    entry: { index: "src/index.ts", pg: "src/pg.ts", "postgres-js": "src/postgres-js.ts" },
    define: { __PACKAGE_VERSION__: JSON.stringify(manifest.version) },
    // Each with all that it needs: else what only some of the entries load would be one more file, which costs import time.
    outputOptions: {
      codeSplitting: {
        groups: [
          { name: "lakebase", test: /src[\\/]driver-options\.ts$/, priority: 1 },
          { name: "login-errors", test: /src[\\/]login-errors\.ts$/ },
        ],
      },
    },
  }),
);
