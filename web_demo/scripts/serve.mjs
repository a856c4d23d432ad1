// Serves dist/ on localhost: `node scripts/serve.mjs [PORT]`. Any static server does as well.
import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const TYPES = {
  ".css": "text/css",
  ".html": "text/html",
  ".js": "text/javascript",
  ".json": "application/json",
  ".map": "application/json",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
};

/** Starts a server on a port of localhost, 0 for any that is free. */
export function serve(port, folder = fileURLToPath(new URL("../dist", import.meta.url))) {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    // normalize takes the dots out of a path that begins with a slash.
    let path = join(folder, normalize(decodeURIComponent(pathname)));
    if (path.endsWith("/")) path += "index.html";
    if (!statSync(path, { throwIfNoEntry: false })?.isFile()) {
      response.writeHead(404, { "Content-Type": "text/plain" }).end("no such file\n");
      return;
    }
    const type = TYPES[extname(path)] ?? "application/octet-stream";
    response.writeHead(200, { "Content-Type": type, "Cache-Control": "no-cache" });
    createReadStream(path).pipe(response);
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "localhost", () => resolve(server));
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const server = await serve(Number(process.argv[2] ?? 8080));
  console.log(`http://localhost:${server.address().port}/`);
}
