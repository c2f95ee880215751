declare const __PACKAGE_VERSION__: string;

/** The version of this package, put in by the build. */
export const packageVersion: string = __PACKAGE_VERSION__;
