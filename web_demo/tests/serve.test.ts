/** The page's server: hostile requests, and what it sends with every answer. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { serve } from "./server";

const folder = mkdtempSync(join(tmpdir(), "serve-"));
let server: Awaited<ReturnType<typeof serve>>;

before(async () => {
  writeFileSync(join(folder, "index.html"), "the page");
  server = await serve(0, folder);
});

after(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

/** The answer to a request whose target is sent as it is. */
function ask(target: string, method = "GET"): Promise<string> {
  return new Promise((resolve, reject) => {
    const { port, address } = server.address() as AddressInfo;
    const socket = connect(port, address);
    let answer = "";
    socket.on("data", (data) => {
      answer += data;
    });
    socket.on("end", () => resolve(answer));
    socket.on("error", reject);
    socket.write(`${method} ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
  });
}

test("targets that are no file are answered, and the server lives on", async () => {
  const targets = ["/%", "/%00", "/%ff", "//", "///", "//:80", "/..", "/%2e%2e/%2e%2e/etc/passwd"];
  targets.push("/\\", "/?%", `/${"a".repeat(5000)}`, "*", "http://localhost:1/none", "none");
  for (const target of targets) {
    const answer = await ask(target);
    assert.match(answer, /^HTTP\/1\.1 (200|400|404) /, target);
    assert.doesNotMatch(answer, /root:/, target);
    assert.match(await ask("/"), /^HTTP\/1\.1 200 .*the page/s, `after ${target}`);
  }
  assert.match(await ask("/", "POST"), /^HTTP\/1\.1 405 /);
  assert.doesNotMatch(await ask("/", "HEAD"), /the page/);
});

const files = { timeout: 20_000, skip: process.platform === "win32" && "no list of open files" };

test("clients that go away leave no file open", files, async () => {
  writeFileSync(join(folder, "large.bin"), Buffer.alloc(1 << 24));
  const { port, address } = server.address() as AddressInfo;
  const before = readdirSync("/dev/fd").length;
  for (let client = 0; client < 20; client++) {
    await new Promise<void>((resolve, reject) => {
      const socket = connect(port, address);
      socket.once("data", () => socket.destroy());
      socket.once("close", () => resolve());
      socket.on("error", reject);
      socket.write("GET /large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n");
    });
  }
  while (readdirSync("/dev/fd").length > before) await setTimeout(10);
});

test("every answer has a policy, and types are not guessed", async () => {
  for (const target of ["/", "/none", "/%"]) {
    const answer = (await ask(target)).toLowerCase();
    assert.match(answer, /\r\nx-content-type-options: nosniff\r\n/);
    const policy = /\r\ncontent-security-policy: (.*)\r\n/.exec(answer)?.[1] ?? "";
    assert.match(policy, /default-src 'none'/);
    assert.match(policy, /script-src 'self' 'wasm-unsafe-eval';/);
    assert.doesNotMatch(policy, /'unsafe-(inline|eval)'|\*|https?:/);
  }
});

test("a port that cannot be had is one line", () => {
  const { port } = server.address() as AddressInfo;
  const words: [string, number][] = [[String(port), 1]];
  for (const word of ["abc", "-1", "65536", "80.5", ""]) words.push([word, 2]);
  for (const [word, code] of words) {
    const ended = spawnSync(process.execPath, ["scripts/serve.mjs", word], { encoding: "utf8" });
    assert.equal(ended.status, code, word);
    assert.match(ended.stderr, /^error: port .*; give another: node scripts\/serve\.mjs PORT\n$/);
  }
});
