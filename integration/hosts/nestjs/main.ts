import { NestFactory } from "@nestjs/core";
import { appModule } from "./app-module.ts";
import { Products } from "./products.ts";

const app = await NestFactory.createApplicationContext(appModule(), { logger: ["error"] });
const products = app.get(Products);
await products.add("coffee", 2);
console.log(await products.sell("coffee"));
await app.close();
