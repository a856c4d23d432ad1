// Serves the example page on localhost: `node scripts/serve.mjs [PORT]`. Any static server does as well.
import { fileURLToPath } from "node:url";
import { serve } from "../../web_demo/scripts/serve.mjs";

const server = await serve(
  Number(process.argv[2] ?? 8080),
  fileURLToPath(new URL("../site", import.meta.url)),
);
console.log(`http://localhost:${server.address().port}/`);
