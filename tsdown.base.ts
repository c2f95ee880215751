/** What every published package shares: ESM and CJS with declarations for each, for the oldest Node that we support. */
export function packageBuild<Options extends object>(options: Options) {
  return {
    format: ["esm", "cjs"] as ("esm" | "cjs")[],
    dts: true,
    // Declarations are made of what is published: a mistake in a test must not stop the build.
    tsconfig: "tsconfig.build.json",
    platform: "node" as const,
    target: "node20.19",
    fixedExtension: true,
    clean: true,
    logLevel: "warn" as const,
    // What several entries load at once is one file, not one for each set of entries: every file costs import time.
    // Declarations cost nothing at run time, and would lose their ending.
    outputOptions: {
      codeSplitting: {
        groups: [{ name: "shared", tags: ["$initial" as const], minShareCount: 2, test: /(?<!\.d)\.ts$/ }],
      },
    },
    ...options,
  };
}
