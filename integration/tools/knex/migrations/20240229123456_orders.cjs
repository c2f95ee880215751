/** @param {import("knex").Knex} db */
exports.up = async (db) => {
  await db.schema.createTable("orders", (table) => {
    table.increments("id");
    table.text("customer").notNullable();
  });
};

/** @param {import("knex").Knex} db */
exports.down = async (db) => {
  await db.schema.dropTable("orders");
};
