#!/usr/bin/env node
import { exitCodes } from "./exit-codes.ts";
import { runProgram } from "./program.ts";

// Whoever reads us may stop reading: a token that nobody got is no success, a message that nobody reads changes nothing.
process.stdout.on("error", () => process.exit(exitCodes.unexpected));
process.stderr.on("error", () => {});
process.exitCode = await runProgram(process.argv.slice(2), process.env);
