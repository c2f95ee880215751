import { testAdapter } from "../contract.ts";
import { prismaAdapter } from "./prisma.ts";

testAdapter(prismaAdapter);
