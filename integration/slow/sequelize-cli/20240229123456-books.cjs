module.exports = {
  up: (queryInterface, Sequelize) =>
    queryInterface.createTable("books", { id: { type: Sequelize.INTEGER, primaryKey: true } }),
  down: (queryInterface) => queryInterface.dropTable("books"),
};
