import { Inject, Injectable } from "@nestjs/common";
import { getRepositoryToken } from "@nestjs/typeorm";
import { EntitySchema, type Repository } from "typeorm";

export interface Product {
  id: number;
  name: string;
  stock: number;
}

export const productEntity = new EntitySchema<Product>({
  name: "product",
  tableName: "products",
  columns: {
    id: { type: Number, primary: true, generated: true },
    name: { type: "text" },
    stock: { type: Number },
  },
});

export class Products {
  readonly #products: Repository<Product>;

  constructor(products: Repository<Product>) {
    this.#products = products;
  }

  add(name: string, stock: number): Promise<Product> {
    return this.#products.save({ name, stock });
  }

  list(): Promise<Product[]> {
    return this.#products.find({ order: { id: "asc" } });
  }

  /** In one transaction, so that nobody sells what is not there. */
  sell(name: string): Promise<number> {
    return this.#products.manager.transaction(async (manager) => {
      const repository = manager.getRepository(productEntity);
      const product = await repository.findOneOrFail({ where: { name }, lock: { mode: "pessimistic_write" } });
      if (product.stock === 0) throw new Error(`no more ${name}`);
      product.stock -= 1;
      return (await repository.save(product)).stock;
    });
  }
}

// As decorators do it: `node` runs TypeScript, but not its decorators.
Injectable()(Products);
Inject(getRepositoryToken(productEntity))(Products, undefined, 0);
