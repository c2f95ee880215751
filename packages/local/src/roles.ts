import { randomBytes } from "node:crypto";
import { type ControlSession, quoteIdentifier, quoteLiteral } from "./postgres/control.ts";
import { IDENTITY_SETTING } from "./postgres/databricks-auth.ts";

/** How the owner of a role proves who it is. */
export type RoleLogin =
  /** By a token for this very name. */
  | { kind: "token"; password: () => Promise<string> }
  /** By its own password, checked by Postgres itself. */
  | { kind: "password" }
  | { kind: "unknown" };

export interface RoleRegister {
  /** Adds a role for an identity of the workspace: one of few rights, or the project's owner. */
  addIdentity(name: string, kind: "USER" | "SERVICE_PRINCIPAL", as?: { owner: { memberOf?: string } }): Promise<void>;
  /** Adds roles of few rights for many identities, in one round trip. */
  addIdentities(names: readonly string[], kind: "USER" | "SERVICE_PRINCIPAL"): Promise<void>;
  /** Adds a role with a password. */
  addNative(name: string, password: string): Promise<void>;
  login(name: string): Promise<RoleLogin>;
  /** Takes away the roles that were added here, for a server that goes on without us. */
  removeAdded(): Promise<void>;
}

export function createRoleRegister(control: ControlSession): RoleRegister {
  const added: string[] = [];
  // The front logs in for the owner of a token with a password that nobody else learns. By oid, since a role of the same
  // name may have been dropped and made again.
  const passwords = new Map<string, Promise<string>>();

  async function setPassword(name: string): Promise<string> {
    const password = randomBytes(18).toString("base64url");
    await control.query(`ALTER ROLE ${quoteIdentifier(name)} PASSWORD ${quoteLiteral(password)}`);
    return password;
  }

  const create = (name: string, kind: string, attributes = "") => [
    `CREATE ROLE ${quoteIdentifier(name)} LOGIN ${attributes}`,
    `ALTER ROLE ${quoteIdentifier(name)} SET ${IDENTITY_SETTING} = ${quoteLiteral(kind)}`,
  ];

  return {
    async addIdentity(name, kind, as) {
      const role = quoteIdentifier(name);
      const memberOf = as?.owner.memberOf;
      const statements = [
        ...create(name, kind, as ? "CREATEDB CREATEROLE" : ""),
        ...(as ? [`GRANT CREATE, USAGE ON SCHEMA public TO ${role}`] : []),
        ...(memberOf ? [`GRANT ${quoteIdentifier(memberOf)} TO ${role}`] : []),
      ];
      await control.query(statements.join(";"));
      added.push(name);
    },
    async addIdentities(names, kind) {
      await control.query(names.flatMap((name) => create(name, kind)).join(";"));
      added.push(...names);
    },
    async addNative(name, password) {
      await control.query(`CREATE ROLE ${quoteIdentifier(name)} LOGIN PASSWORD ${quoteLiteral(password)}`);
      added.push(name);
    },
    async login(name) {
      const [row] = await control.query(
        "SELECT oid, rolpassword IS NOT NULL, " +
          "EXISTS (SELECT FROM pg_db_role_setting, unnest(setconfig) AS setting " +
          `WHERE setrole = pg_authid.oid AND setdatabase = 0 AND setting LIKE ${quoteLiteral(`${IDENTITY_SETTING}=%`)}) ` +
          `FROM pg_authid WHERE rolname = ${quoteLiteral(name)}`,
      );
      const [oid, hasPassword, hasIdentity] = row ?? [];
      if (oid && hasIdentity === "t") {
        const password = () => {
          const known = passwords.get(oid) ?? setPassword(name);
          passwords.set(oid, known);
          return known;
        };
        return { kind: "token", password };
      }
      return { kind: hasPassword === "t" ? "password" : "unknown" };
    },
    async removeAdded() {
      for (const name of added.splice(0)) {
        const role = quoteIdentifier(name);
        await control.query(`REASSIGN OWNED BY ${role} TO CURRENT_USER; DROP OWNED BY ${role}; DROP ROLE ${role}`);
      }
    },
  };
}
