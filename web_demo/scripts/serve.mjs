// Serves dist/ on localhost: `node scripts/serve.mjs [PORT]`. Any static server does as well.
import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { pipeline } from "node:stream";
import { fileURLToPath } from "node:url";

const TYPES = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".map": "application/json",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
};

/** The page runs its own scripts and WASM, and asks nothing of other hosts. */
export const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "worker-src 'self'",
  "connect-src 'self'",
  "style-src 'self'",
  "img-src 'self' blob: data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");
const HEADERS = {
  "Cache-Control": "no-cache",
  "Content-Security-Policy": CONTENT_SECURITY_POLICY,
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
};

/** The file of a request's target; undefined if it is not one of a folder. */
function fileOf(target, folder) {
  let path;
  try {
    // Not by `new URL`, which takes what is behind two slashes for a host.
    path = decodeURIComponent(target.split(/[?#]/, 1)[0]);
  } catch {
    return undefined;
  }
  if (!path.startsWith("/") || path.includes("\0")) return undefined;
  // normalize takes the dots out of a path that begins with a slash.
  path = join(folder, normalize(path));
  if (path.endsWith("/")) path += "index.html";
  try {
    return statSync(path, { throwIfNoEntry: false })?.isFile() ? path : undefined;
  } catch {
    return undefined; // Such as a name that is too long.
  }
}

function answer(request, response, folder) {
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.writeHead(405, { ...HEADERS, Allow: "GET, HEAD" }).end();
    return;
  }
  const path = fileOf(request.url, folder);
  if (!path) {
    response.writeHead(404, { ...HEADERS, "Content-Type": "text/plain" }).end("no such file\n");
    return;
  }
  const type = TYPES[extname(path)] ?? "application/octet-stream";
  response.writeHead(200, { ...HEADERS, "Content-Type": type });
  if (request.method === "HEAD") {
    response.end();
    return;
  }
  // Closes the file where the client goes away, and the connection where the file fails.
  pipeline(createReadStream(path), response, () => {});
}

/** Starts a server on a port of localhost, 0 for any that is free. */
export function serve(port, folder = fileURLToPath(new URL("../dist", import.meta.url))) {
  const server = createServer((request, response) => answer(request, response, folder));
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "localhost", () => resolve(server));
  });
}

function fail(message, code) {
  console.error(`error: ${message}; give another: node scripts/serve.mjs PORT`);
  process.exit(code);
}

/** Serves until the process ends; with a word that is no port, or one that is taken, says so. */
async function main(word = "8080") {
  if (!/^\d+$/.test(word) || Number(word) > 65535) {
    fail(`port ${JSON.stringify(word)}: not a number from 0 to 65535`, 2);
  }
  try {
    const server = await serve(Number(word));
    console.log(`http://localhost:${server.address().port}/`);
  } catch (error) {
    fail(`port ${word}: cannot be listened on (${error.code ?? error.message})`, 1);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv[2]);
