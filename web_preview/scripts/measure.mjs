// Times previews in headless Chromium: `node scripts/measure.mjs [LOADS]`. Each load is of a page with
// ten previews in a new browser, whose caches are empty, so that nothing is compiled before; the
// browser has ended its own start. In milliseconds, the median of all loads and their range:
//   begun    from the script's arrival until it begins to decode, its weights read
//   first    the first preview
//   made     all ten
//   painted  from the script's arrival until all ten are painted
//   each     a preview when all is compiled
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { chromium } from "playwright-core";
import { serve } from "../../web_demo/scripts/serve.mjs";

const WARM_RUNS = 200;
const BROWSER_START_MS = 2000;
const SIZES = [24, 64];
process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const loads = Number(process.argv[2] ?? 10);
const { sizes, pictures } = JSON.parse(readFileSync("example/pictures.json", "utf8"));

/** Ten strings of one size in bytes, as a list has them. */
function textsOf(size) {
  const own = pictures.map(({ codecs }) => codecs.tfrnnc[sizes.indexOf(size)].text);
  return Array.from({ length: 10 }, (_, i) => own[i % own.length]);
}

/** Paints ten previews, and says when in milliseconds after the script had arrived. */
const PAGE = `
import { decodePreview, previewDataURL } from "./src/index.js";
import { weights } from "./src/weights.js";
import "./src/element.js";

const { texts, kind } = JSON.parse(document.querySelector("#texts").textContent);
const started = performance.now();
const images = [];
let first = 0;
for (const text of texts) {
  const image = document.createElement(kind);
  if (kind === "img") image.src = previewDataURL(text, weights);
  else image.setAttribute("text", text);
  images.push(image);
  first ||= performance.now() - started;
}
const made = performance.now();
document.body.append(...images);
if (kind === "img") await Promise.all(images.map((image) => image.decode()));
await new Promise((resolve) => requestAnimationFrame(() => {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = resolve; // The first task behind the frame.
  port2.postMessage(0);
}));
const painted = performance.now();
const { responseEnd } = performance.getEntriesByType("resource").find(({ name }) => name.endsWith("page.js"));
globalThis.timeEach = (runs) => {
  const times = Array.from({ length: runs }, (_, i) => {
    const begin = performance.now();
    decodePreview(texts[i % texts.length], weights);
    return performance.now() - begin;
  });
  return times.sort((a, b) => a - b)[runs >> 1];
};
globalThis.found = {
  begun: started - responseEnd,
  first,
  made: made - started,
  painted: painted - responseEnd,
};
`;
const HTML = (data) => `<!doctype html><meta charset="utf-8"><title>Previews</title>
<link rel="stylesheet" href="page.css"><body>
<script type="application/json" id="texts">${JSON.stringify(data)}</script>
<script type="module" src="page.js"></script>`;

const folder = mkdtempSync(join(tmpdir(), "measure-"));
const stdin = { contents: PAGE, resolveDir: ".", loader: "ts" };
const options = { bundle: true, format: "esm", minify: true, loader: { ".bin": "base64" } };
await build({ ...options, stdin, target: "es2022", outfile: join(folder, "page.js") });
writeFileSync(join(folder, "page.css"), "img, tfrnnc-preview { width: 240px; height: 160px }");
const server = await serve(0, folder);
const address = `http://localhost:${server.address().port}/`;
const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** One load: a new browser, the page, and its numbers. */
async function load() {
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  try {
    const page = await browser.newPage();
    await page.waitForTimeout(BROWSER_START_MS);
    await page.goto(address);
    await page.waitForFunction(() => globalThis.found);
    const each = await page.evaluate((runs) => globalThis.timeEach(runs), WARM_RUNS);
    return { ...(await page.evaluate(() => globalThis.found)), each };
  } finally {
    await browser.close();
  }
}

for (const size of SIZES) {
  for (const kind of ["img", "tfrnnc-preview"]) {
    writeFileSync(join(folder, "index.html"), HTML({ texts: textsOf(size), kind }));
    const rows = [];
    for (let i = 0; i < loads; i++) rows.push(await load());
    const line = (name) => {
      const values = rows.map((row) => row[name]).sort((a, b) => a - b);
      const shown = [values[values.length >> 1], values[0], values.at(-1)];
      const [median, least, most] = shown.map((value) => value.toFixed(1));
      return `${name} ${median} (${least} to ${most})`;
    };
    const names = ["begun", "first", "made", "painted", "each"];
    console.log(`${size} bytes, ${kind}, ms: ${names.map(line).join(", ")}`);
  }
}
server.close();
rmSync(folder, { recursive: true });
