// Drizzle over Neon's driver: drizzle-orm/neon-http.
import assert from "node:assert/strict";
import { test } from "node:test";
import { count, eq, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/neon-http";
import { migrate } from "drizzle-orm/neon-http/migrator";
import { connect } from "./service.mjs";
import * as schema from "./drizzle.schema.mjs";

const { orders, users } = schema;
const client = connect();
const db = drizzle(client, { schema });

test("insert with returning, and select", async () => {
  const [ann] = await db.insert(users).values({ email: "ann@example.com", name: "Ann", score: 9007199254740993n, tags: ["a", 'b"'], profile: { theme: "dark" } }).returning();
  assert.deepEqual({ ...ann, createdAt: ann.createdAt instanceof Date }, { id: 1, email: "ann@example.com", name: "Ann", role: "member", score: 9007199254740993n, tags: ["a", 'b"'], profile: { theme: "dark" }, createdAt: true });
  await db.insert(users).values([{ email: "bob@example.com", name: "Bob", role: "admin" }, { email: "cy@example.com", name: "Cy" }]);
  assert.deepEqual(await db.select({ name: users.name }).from(users).where(eq(users.role, "admin")), [{ name: "Bob" }]);
  assert.deepEqual(await db.select({ n: count() }).from(users), [{ n: 3 }]);
});

test("joins with columns of one name", async () => {
  await db.insert(orders).values([{ userId: 1, name: "tea", price: "1.50" }, { userId: 1, name: "milk", price: "0.99" }]);
  const rows = await db.select().from(users).leftJoin(orders, eq(orders.userId, users.id)).orderBy(users.id, orders.id);
  assert.deepEqual(rows.map((row) => [row.users.id, row.users.name, row.orders?.id ?? null, row.orders?.name ?? null]), [[1, "Ann", 1, "tea"], [1, "Ann", 2, "milk"], [2, "Bob", null, null], [3, "Cy", null, null]]);
});

test("upsert", async () => {
  const [row] = await db.insert(users).values({ email: "ann@example.com", name: "Anna" }).onConflictDoUpdate({ target: users.email, set: { name: sql`excluded.name` } }).returning({ id: users.id, name: users.name });
  assert.deepEqual(row, { id: 1, name: "Anna" });
});

test("batch", async () => {
  const [inserted, all, updated] = await db.batch([
    db.insert(orders).values({ userId: 2, name: "salt", price: "3.00" }).returning({ id: orders.id }),
    db.select({ name: orders.name }).from(orders).orderBy(orders.id),
    db.update(users).set({ name: "Robert" }).where(eq(users.id, 2)).returning({ name: users.name }),
  ]);
  assert.deepEqual([inserted, all, updated], [[{ id: 3 }], [{ name: "tea" }, { name: "milk" }, { name: "salt" }], [{ name: "Robert" }]]);
  await assert.rejects(db.batch([db.delete(orders), db.insert(orders).values({ userId: 99, name: "none", price: "1" })]));
  assert.equal((await db.select().from(orders)).length, 3);
});

test("relational queries", async () => {
  const found = await db.query.users.findMany({ columns: { name: true }, with: { orders: { columns: { name: true, price: true }, orderBy: (o, { asc }) => [asc(o.id)] } }, where: (u, { lt }) => lt(u.id, 3), orderBy: (u, { asc }) => [asc(u.id)] });
  // Drizzle reads these from one JSON column, where JSON.parse takes the last zeros of a number.
  assert.deepEqual(found, [
    { name: "Anna", orders: [{ name: "tea", price: "1.5" }, { name: "milk", price: "0.99" }] },
    { name: "Robert", orders: [{ name: "salt", price: "3" }] },
  ]);
  const first = await db.query.orders.findFirst({ with: { user: true }, orderBy: (o, { asc }) => [asc(o.id)] });
  assert.deepEqual([first.name, first.user.name], ["tea", "Anna"]);
});

test("delete, and statements of one's own", async () => {
  const gone = await db.delete(orders).where(eq(orders.name, "salt")).returning({ name: orders.name });
  assert.deepEqual(gone, [{ name: "salt" }]);
  const { rows } = await db.execute(sql`SELECT name FROM users WHERE id = ${3}`);
  assert.deepEqual(rows, [{ name: "Cy" }]);
});

test("the migrator says what it would need", async () => {
  // It makes a schema for its list of migrations, which no tenant may do.
  const migration = migrate(db, { migrationsFolder: process.env.DRIZZLE_OUT, migrationsSchema: process.env.POSTGATE_SCHEMA });
  await assert.rejects(migration, ({ cause }) => cause.code === "PARSE_ERROR" && /CREATE SCHEMA/.test(cause.message));
});
