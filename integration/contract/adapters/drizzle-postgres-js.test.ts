import { testAdapter } from "../contract.ts";
import { drizzlePostgresJsAdapter } from "./drizzle-postgres-js.ts";

testAdapter(drizzlePostgresJsAdapter);
