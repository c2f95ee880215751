/** @param {import("knex").Knex} db */
exports.seed = async (db) => {
  await db("orders").insert([{ customer: "Ada" }, { customer: "Grace" }]);
};
