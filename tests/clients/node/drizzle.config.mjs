export default {
  dialect: "postgresql",
  schema: "./drizzle.schema.mjs",
  out: process.env.DRIZZLE_OUT,
  dbCredentials: { url: process.env.DRIZZLE_URL },
};
