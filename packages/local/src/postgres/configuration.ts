/** The end of a `postgresql.conf`, for data that live as long as the process. */
export function configuration(options: {
  /** Where to listen. */
  place?: Record<string, string>;
  /** A folder with modules that stand in for Lakebase's. */
  modules: string;
  /** Names of modules to preload. */
  preloaded: readonly string[];
  disguised: boolean;
}): string {
  const { place, modules, preloaded, disguised } = options;
  const settings: Record<string, string> = {
    ...place,
    max_connections: "300",
    shared_buffers: "32MB",
    // Nothing has to survive a crash.
    fsync: "off",
    full_page_writes: "off",
    synchronous_commit: "off",
    max_wal_size: "256MB",
    timezone: "UTC",
    log_timezone: "UTC",
    ...(preloaded.length > 0 && {
      dynamic_library_path: `${modules}:$libdir`,
      shared_preload_libraries: preloaded.join(","),
    }),
    ...(disguised && { "neon.lakebase_mode": "on" }),
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'`);
  return `\n${lines.join("\n")}\n`;
}
