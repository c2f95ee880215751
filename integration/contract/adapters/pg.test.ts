import { testAdapter } from "../contract.ts";
import { pgAdapter } from "./pg.ts";

testAdapter(pgAdapter);
