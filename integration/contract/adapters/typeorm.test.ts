import { testAdapter } from "../contract.ts";
import { typeormAdapter } from "./typeorm.ts";

testAdapter(typeormAdapter);
