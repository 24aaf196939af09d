// drizzle-kit's push, which reads the catalog to compare it with the schema; where that fails it ends the process.
import { neonConfig } from "@neondatabase/serverless";
import { pushSchema } from "drizzle-kit/api";
import { drizzle } from "drizzle-orm/neon-http";
import * as schema from "./drizzle.schema.mjs";
import { connect } from "./service.mjs";

neonConfig.fetchFunction = async (...request) => {
  const response = await fetch(...request);
  console.log(await response.clone().text());
  return response;
};
await pushSchema(schema, drizzle(connect(), { schema }));
