import { testAdapter } from "../contract.ts";
import { kyselyAdapter } from "./kysely.ts";

testAdapter(kyselyAdapter);
