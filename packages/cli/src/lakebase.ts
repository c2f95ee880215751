#!/usr/bin/env node
import { runProgram } from "./program.ts";

// Whoever reads our output may stop reading.
process.stdout.on("error", () => {
  process.exitCode = 1;
});
process.exitCode = await runProgram(process.argv.slice(2), process.env);
