import { testAdapter } from "../contract.ts";
import { sequelizeAdapter } from "./sequelize.ts";

testAdapter(sequelizeAdapter);
