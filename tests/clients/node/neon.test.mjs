// @neondatabase/serverless, unchanged.
import assert from "node:assert/strict";
import { test } from "node:test";
import { NeonDbError, Pool, neon } from "@neondatabase/serverless";
import { address, addressWithToken, connect, reference, shown, token, url } from "./service.mjs";

const sql = connect();
const expressions = JSON.parse(process.env.POSTGATE_EXPRESSIONS);

test("a tagged template", async () => {
  const name = "O'Brien; --";
  assert.deepEqual(await sql`SELECT ${name}::text AS name, ${7}::int + 1 AS n`, [{ name, n: 8 }]);
  assert.deepEqual(await sql`SELECT 1 AS a WHERE false`, []);
});

test("sql.query with rows as objects and as arrays", async () => {
  const text = "SELECT $1::int AS a, $2::text AS a";
  assert.deepEqual(await sql.query(text, [1, "x"]), [{ a: "x" }]);
  assert.deepEqual(await sql.query(text, [1, "x"], { arrayMode: true }), [[1, "x"]]);
  assert.deepEqual(await connect({ arrayMode: true })`SELECT 1 AS a, 2 AS a`, [[1, 2]]);
});

test("full results are those of node-postgres", async () => {
  const client = await reference();
  const statements = [
    ["CREATE TABLE full_results (id serial PRIMARY KEY, name varchar(20), price numeric(10, 2))"],
    ["INSERT INTO full_results (name, price) VALUES ($1, $2), ($3, $4) RETURNING id, price", ["a", "1.50", "b", null]],
    ["SELECT id, name, price, 1 AS one FROM full_results ORDER BY id"],
    ["SELECT id FROM full_results WHERE false"],
    ["UPDATE full_results SET name = 'c'"],
    ["DELETE FROM full_results WHERE id = 0"],
    ["CREATE TABLE full_copy AS SELECT id FROM full_results"],
    ["TRUNCATE full_copy"],
    ["COMMENT ON TABLE full_copy IS 'x'"],
    ["EXPLAIN (COSTS OFF) SELECT 1"],
    ["DROP TABLE full_copy"],
  ];
  for (const [text, params = []] of statements) {
    const ours = await sql.query(text, params, { fullResults: true });
    // The reference runs a definition in a transaction of its own, which is undone.
    await client.query("BEGIN");
    if (/^(CREATE|DROP)/.test(text)) await client.query(text.startsWith("CREATE") ? `DROP TABLE ${text.split(" ")[2]}` : "CREATE TABLE full_copy ()");
    const theirs = await client.query(text, params);
    await client.query("ROLLBACK");
    const parts = ({ command, rowCount, fields, rows }) => ({ command, rowCount, rows: text.startsWith("INSERT") ? rows.length : rows, fields: fields.map((field) => ({ ...field })) });
    assert.equal(shown(parts(ours)), shown(parts(theirs)), text);
  }
  await sql`DROP TABLE full_results`;
  await client.end();
});

test("every type comes out as from node-postgres", async () => {
  const client = await reference();
  for (const [number, expression] of expressions.entries()) {
    const text = `SELECT v FROM v${number}`;
    const ours = await sql.query(text, [], { fullResults: true });
    const theirs = await client.query(text);
    assert.equal(shown(ours.rows), shown(theirs.rows), expression);
    assert.equal(shown(ours.fields.map((field) => ({ ...field }))), shown(theirs.fields.map((field) => ({ ...field }))), expression);
  }
  await client.end();
});

test("every kind of parameter goes in as with node-postgres", async () => {
  const client = await reference();
  const cases = [
    ["int8", 9007199254740993n], ["int8", "9223372036854775807"], ["numeric", "0.10"], ["float8", 1.5], ["bool", true],
    ["text", "ünï\u2028\n\"'\\"], ["text", ""], ["text", null], ["bytea", Buffer.from([0, 1, 255])], ["bytea", new Uint8Array([0, 200])],
    ["timestamptz", new Date("2024-01-02T03:04:05.678Z")], ["date", "2024-02-29"], ["jsonb", { a: [1, { b: null }] }],
    ["jsonb", JSON.stringify([1, "x"])], ["int[]", [1, 2, null]], ["text[]", ['a"b', "c,d", "{}", null, ""]], ["int[]", [[1, 2], [3, 4]]],
    ["timestamptz[]", [new Date(0)]], ["bytea[]", [Buffer.from("x")]], ["uuid", "6f1c3c0e-7c1f-4b1c-9d5a-0d6a3c1e2b3a"],
  ];
  for (const [type, value] of cases) {
    const text = `SELECT $1::${type} AS v`;
    assert.equal(shown(await sql.query(text, [value])), shown((await client.query(text, [value])).rows), `${type} ${shown(value)}`);
  }
  await client.end();
});

const levels = ["ReadUncommitted", "ReadCommitted", "RepeatableRead", "Serializable"];
for (const isolationLevel of levels) {
  for (const [readOnly, deferrable] of [[false, false], [true, false], [true, true]]) {
    test(`a transaction: ${isolationLevel}, read only ${readOnly}, deferrable ${deferrable}`, async () => {
      const [[{ one }], [{ modes }]] = await sql.transaction([sql`SELECT 1 AS one`, sql`SELECT modes()`], { isolationLevel, readOnly, deferrable });
      const onOff = (value) => (value ? "on" : "off");
      const level = isolationLevel.replace(/(?<=.)([A-Z])/, " $1").toLowerCase();
      assert.deepEqual([one, modes], [1, [level, onOff(readOnly), onOff(deferrable)]]);
    });
  }
}

test("a transaction is undone as a whole", async () => {
  await sql`CREATE TABLE undone (a int PRIMARY KEY)`;
  const inserts = [1, 2, 1].map((a) => sql`INSERT INTO undone VALUES (${a})`);
  await assert.rejects(sql.transaction(inserts), { name: "NeonDbError", code: "23505", constraint: "undone_pkey" });
  const results = await sql.transaction((txn) => [txn`INSERT INTO undone VALUES (3) RETURNING a`, txn`SELECT a FROM undone`], { arrayMode: true, fullResults: true });
  assert.deepEqual(results.map(({ command, rows }) => [command, rows]), [["INSERT", [[3]]], ["SELECT", [[3]]]]);
  assert.deepEqual(await sql.transaction([]), []);
  await sql`DROP TABLE undone`;
});

test("Pool.query by fetch, with the token as the password", async () => {
  const pool = new Pool({ connectionString: addressWithToken });
  const { rows, rowCount, command } = await pool.query("SELECT $1::int AS a", [5]);
  assert.deepEqual([rows, rowCount, command], [[{ a: 5 }], 1, "SELECT"]);
  assert.deepEqual((await pool.query({ text: "SELECT 1 AS a, 2 AS a", rowMode: "array" })).rows, [[1, 2]]);
  await assert.rejects(pool.query("SELECT 1 / 0"), { code: "22012" });
  await pool.end();
});

test("errors are those of node-postgres", async () => {
  const client = await reference();
  await sql`CREATE TABLE failing (id int PRIMARY KEY, n int NOT NULL CONSTRAINT small CHECK (n < 10), m text)`;
  await sql`INSERT INTO failing VALUES (1, 1)`;
  const statements = [
    ["INSERT INTO failing VALUES (1, 1)"],
    ["INSERT INTO failing VALUES (2, 11)"],
    ["INSERT INTO failing VALUES (2, NULL)"],
    ["SELECT nothing FROM failing"],
    ["SELECT id FROM nowhere"],
    ["SELECT count(id, id) FROM failing"],
    ["SELECT 1 / (id - 1) FROM failing"],
    ["SELECT $1::int", ["x"]],
    ["SELECT * FROM failing WHERE m = $1 AND id = $2", ["a", "y"]],
  ];
  for (const [text, params = []] of statements) {
    const ours = await sql.query(text, params).then(() => assert.fail(text), (error) => error);
    const theirs = await client.query(text, params).then(() => assert.fail(text), (error) => error);
    assert.ok(ours instanceof NeonDbError, shown(ours));
    // The file and the line of PostgreSQL's source, and a context that quotes a value, are not compared.
    for (const key of ["message", "severity", "code", "detail", "position", "schema", "table", "column", "dataType", "constraint", "routine"]) {
      assert.equal(ours[key], theirs[key], `${text}: ${key}`);
    }
    // Where PostgreSQL has none, ours may say where to look.
    if (theirs.hint !== undefined) {
      assert.equal(ours.hint, theirs.hint, text);
    }
  }
  await sql`DROP TABLE failing`;
  await client.end();
});

test("what the service itself refuses says so", async () => {
  await assert.rejects(sql`SELECT pg_sleep(1)`, { name: "NeonDbError", code: "PARSE_ERROR", message: /Function pg_sleep is not allowed/ });
  await assert.rejects(sql`SELECT 1; SELECT 2`, { code: "PARSE_ERROR" });
  await assert.rejects(neon(address, { authToken: "pg_" + "0".repeat(64) })`SELECT 1`, { name: "NeonDbError", message: /401.*Unauthorized/s });
  await assert.rejects(neon("postgresql://tenant:secret@host/database")`SELECT 1`, (error) => /401/.test(error.message) && !/secret/.test(error.message));
});

test("a client that does not ask for raw text or arrays gets JSON values and objects", async () => {
  const response = await fetch(url, { method: "POST", headers: { Authorization: `Bearer ${token}` }, body: JSON.stringify({ query: "SELECT 1 AS a, '{x}'::text[] AS b" }) });
  const { rows, rowAsArray, fields } = await response.json();
  assert.deepEqual([rows, rowAsArray, fields[0].dataTypeID], [[{ a: 1, b: ["x"] }], false, 23]);
});
