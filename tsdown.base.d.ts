/** What every published package shares: ESM and CJS with declarations for each, for the oldest Node that we support. */
export declare function packageBuild<Options extends object>(options: Options): {
    format: ("esm" | "cjs")[];
    dts: boolean;
    platform: "node";
    target: string;
    fixedExtension: boolean;
    clean: boolean;
    logLevel: "warn";
} & Options;
