import { defineConfig } from "tsdown";
import { packageBuild } from "../../tsdown.base.ts";
import manifest from "./package.json" with { type: "json" };

export default defineConfig(
  packageBuild({
    entry: { lakebase: "src/lakebase.ts" },
    // A program: there is nothing to import, and so no other format and no types.
    format: ["esm"],
    dts: false,
    define: { __PACKAGE_VERSION__: JSON.stringify(manifest.version) },
  }),
);
