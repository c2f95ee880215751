import { testAdapter } from "../contract.ts";
import { knexAdapter } from "./knex.ts";

testAdapter(knexAdapter);
