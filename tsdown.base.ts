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
    // Names that tell what is in a file, also in a stack trace; nothing here is cached by a name.
    hash: false,
    logLevel: "warn" as const,
    ...options,
  };
}
