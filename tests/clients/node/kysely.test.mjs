// Kysely with its dialect for Neon's driver.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Kysely, sql } from "kysely";
import { NeonDialect } from "kysely-neon";
import { connect } from "./service.mjs";

const neon = connect();
const db = new Kysely({ dialect: new NeonDialect({ neon }) });

test("tables, inserts, selects and changes", async () => {
  await db.schema.createTable("person").addColumn("id", "serial", (c) => c.primaryKey()).addColumn("name", "text", (c) => c.notNull()).addColumn("age", "integer").execute();
  await db.schema.createTable("pet").addColumn("id", "serial", (c) => c.primaryKey()).addColumn("owner", "integer", (c) => c.references("person.id")).addColumn("name", "text").execute();
  const ann = await db.insertInto("person").values({ name: "Ann", age: 40 }).returningAll().executeTakeFirstOrThrow();
  assert.deepEqual(ann, { id: 1, name: "Ann", age: 40 });
  const added = await db.insertInto("person").values([{ name: "Bob", age: null }, { name: "Cy", age: 7 }]).executeTakeFirst();
  assert.equal(added.numInsertedOrUpdatedRows, 2n);
  await db.insertInto("pet").values({ owner: 1, name: "Rex" }).onConflict((oc) => oc.column("id").doNothing()).execute();
  const joined = await db.selectFrom("person").leftJoin("pet", "pet.owner", "person.id").select(["person.name", "pet.name as pet"]).where("person.age", ">", 5).orderBy("person.id").execute();
  assert.deepEqual(joined, [{ name: "Ann", pet: "Rex" }, { name: "Cy", pet: null }]);
  const { total } = await db.selectFrom("person").select((eb) => eb.fn.countAll().as("total")).executeTakeFirstOrThrow();
  assert.equal(total, "3");
  const updated = await db.updateTable("person").set({ age: sql`age + 1` }).where("name", "=", "Cy").executeTakeFirst();
  assert.equal(updated.numUpdatedRows, 1n);
  const deleted = await db.deleteFrom("person").where("name", "in", ["Bob", "Nobody"]).executeTakeFirst();
  assert.equal(deleted.numDeletedRows, 1n);
});

test("the statements of a transaction go as one batch", async () => {
  // The dialect itself has no interactive transactions; the driver takes what Kysely has compiled.
  const batch = (...queries) => neon.transaction(queries.map((query) => query.compile()).map(({ sql, parameters }) => neon.query(sql, [...parameters])));
  const [, rows] = await batch(
    db.updateTable("person").set({ age: 41 }).where("id", "=", 1),
    db.selectFrom("person").select("age").where("id", "=", 1),
  );
  assert.deepEqual(rows, [{ age: 41 }]);
  await assert.rejects(batch(db.updateTable("person").set({ age: 0 }), db.insertInto("pet").values({ owner: 99, name: "?" })), { code: "23503" });
  assert.deepEqual(await db.selectFrom("person").select("age").where("id", "=", 1).execute(), [{ age: 41 }]);
  await db.schema.dropTable("pet").execute();
  await db.schema.dropTable("person").execute();
});
