// The service that the tests run against, and the same database by PostgreSQL's own protocol.
import { neon, neonConfig } from "@neondatabase/serverless";
import { inspect } from "node:util";
import pg from "pg";

export const { POSTGATE_URL: url, POSTGATE_TOKEN: token, POSTGATE_SCHEMA: schema } = process.env;

neonConfig.fetchEndpoint = () => url;
neonConfig.poolQueryViaFetch = true;

export const address = "postgresql://tenant@host/database";
export const addressWithToken = `postgresql://tenant:${token}@host/database`;

export const connect = (options = {}) => neon(address, { authToken: token, ...options });

// node-postgres on the database itself, where the tests have set the settings of a tenant's statement.
export async function reference() {
  const client = new pg.Client({
    host: process.env.PGHOST,
    port: Number(process.env.PGPORT),
    user: process.env.PGUSER,
    database: process.env.PGDATABASE,
    password: process.env.PGPASSWORD,
    options: `-c search_path=${schema} -c TimeZone=UTC -c extra_float_digits=1`,
  });
  await client.connect();
  return client;
}

// What a value is, its class and its digits included.
export const shown = (value) => inspect(value, { depth: null, maxArrayLength: null, maxStringLength: null, breakLength: Infinity, sorted: true });
