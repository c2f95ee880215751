import { testAdapter } from "../contract.ts";
import { drizzleAdapter } from "./drizzle.ts";

testAdapter(drizzleAdapter);
