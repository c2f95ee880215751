import { testAdapter } from "../contract.ts";
import { mikroOrmAdapter } from "./mikro-orm.ts";

testAdapter(mikroOrmAdapter);
