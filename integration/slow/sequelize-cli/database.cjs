const { lakebasePoolConfig } = require("@x/lakebase-core/pg");
const pg = require("pg");

const { Client } = lakebasePoolConfig({ applicationName: { isv: "acme", product: "shop" } }, "sequelize");

module.exports = { dialect: "postgres", dialectModule: { ...pg, Client } };
