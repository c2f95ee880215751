import "reflect-metadata";
import { type DynamicModule, Module } from "@nestjs/common";
import { TypeOrmModule, type TypeOrmModuleOptions } from "@nestjs/typeorm";
import { type LakebaseTypeormOptions, lakebaseDataSourceOptions } from "@x/lakebase-typeorm";
import { Products, productEntity } from "./products.ts";

class AppModule {}
Module({})(AppModule);

/** An application as Nest's documentation has it, with the options of its data source from this library. */
export function appModule(lakebase: LakebaseTypeormOptions = {}, beside: TypeOrmModuleOptions = {}): DynamicModule {
  return {
    module: AppModule,
    imports: [
      TypeOrmModule.forRootAsync({
        useFactory: async () => ({
          ...lakebaseDataSourceOptions(lakebase),
          autoLoadEntities: true,
          synchronize: true,
          retryAttempts: 0,
          ...(beside as object),
        }),
      }),
      TypeOrmModule.forFeature([productEntity]),
    ],
    providers: [Products],
  };
}
