import { defineConfig } from "tsdown";
import { packageBuild } from "../../tsdown.base.ts";
import manifest from "./package.json" with { type: "json" };

export default defineConfig(
  packageBuild({
    entry: { index: "src/index.ts", "postgres-js": "src/postgres-js.ts" },
    define: { __PACKAGE_VERSION__: JSON.stringify(manifest.version) },
  }),
);
