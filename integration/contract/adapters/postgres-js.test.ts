import { testAdapter } from "../contract.ts";
import { postgresJsAdapter } from "./postgres-js.ts";

testAdapter(postgresJsAdapter);
