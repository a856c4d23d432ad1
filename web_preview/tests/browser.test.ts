/** The example page and the element in real Chromium, headless. */

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { resolve } from "node:path";
import { after, before, test } from "node:test";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { decodePreview, readWeights } from "../src/index.js";
import { readJson, WEIGHTS_FILE, weightsChecksum } from "./repository";

const SCREENSHOTS = "test-output/screenshots";
const DESKTOP = { width: 1280, height: 900 };
const PHONE = { width: 390, height: 844 };
/** Milliseconds after which something that is waited for will not come, on a busy machine either. */
const PATIENCE = 120_000;
const CODECS = ["tfrnnc", "blurhash", "thumbhash", "webp"];
const executablePath = [
  process.env.CHROMIUM,
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
].find((path) => path && existsSync(path));
const skip = executablePath
  ? false
  : "there is no Chromium; install it or set CHROMIUM to its path";

interface Entry {
  readonly bytes: number;
  readonly text: string;
}
const content = readJson<{
  weights_crc32: string;
  sizes: number[];
  pictures: { name: string; codecs: Record<string, (Entry | null)[]> }[];
}>("web_preview/example/pictures.json");
const weights = readWeights(readFileSync(WEIGHTS_FILE));

let browser: Browser;
let server: Server;
let address: string;

before(async () => {
  if (skip) return;
  mkdirSync(SCREENSHOTS, { recursive: true });
  const { serve } = await import(resolve("../web_demo/scripts/serve.mjs"));
  server = await serve(0, resolve("site"));
  address = `http://localhost:${(server.address() as AddressInfo).port}/`;
  // In a container there is neither a sandbox nor a large /dev/shm.
  const args = ["--no-sandbox", "--disable-dev-shm-usage"];
  browser = await chromium.launch({ executablePath: executablePath as string, args });
});

after(async () => {
  await browser?.close();
  server?.close();
});

/** Opens the page and does something there; nothing may be asked of others, nor be logged. */
async function visit(
  options: BrowserContextOptions,
  work: (page: Page) => Promise<void>,
): Promise<void> {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(PATIENCE);
  const faults: string[] = [];
  context.on("request", (request) => {
    const { protocol, origin } = new URL(request.url());
    if (protocol !== "data:" && `${origin}/` !== address) faults.push(request.url());
  });
  context.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) faults.push(message.text());
  });
  context.on("weberror", (error) => faults.push(String(error.error())));
  try {
    const page = await context.newPage();
    await page.goto(address);
    await page.locator("#tfrnnc img").waitFor();
    await work(page);
    assert.deepEqual(faults, []);
  } finally {
    await context.close();
  }
}

async function slide(page: Page, index: number): Promise<void> {
  await page.locator("#size").fill(String(index));
}

/** What does not fit into the page, and text whose contrast is below 4.5. */
function flaws(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const found: string[] = [];
    if (document.documentElement.scrollWidth > innerWidth) found.push("it scrolls sideways");
    const luminance = (color: string) => {
      const [r, g, b] = (color.match(/[\d.]+/g) ?? []).map((value) => {
        const level = Number(value) / 255;
        return level <= 0.04045 ? level / 12.92 : ((level + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const paper = (element: Element | null): string => {
      if (!element) return "rgb(255, 255, 255)";
      const { backgroundColor } = getComputedStyle(element);
      return backgroundColor === "rgba(0, 0, 0, 0)"
        ? paper(element.parentElement)
        : backgroundColor;
    };
    for (const element of document.querySelectorAll("body *")) {
      const text = [...element.childNodes].some(
        (node) => node.nodeType === 3 && node.textContent?.trim(),
      );
      if (!text || element.tagName === "NOSCRIPT" || !element.checkVisibility()) continue;
      const both = [luminance(getComputedStyle(element).color), luminance(paper(element))];
      const contrast = (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
      if (contrast < 4.5) found.push(`${element.textContent}: a contrast of ${contrast}`);
    }
    return found;
  });
}

test("the pictures of the page are of these weights", () => {
  assert.equal(
    content.weights_crc32,
    weightsChecksum(),
    "run tools/make_preview_example.py, as the weights have changed",
  );
});

for (const [name, viewport] of Object.entries({ desktop: DESKTOP, phone: PHONE })) {
  for (const colorScheme of ["light", "dark"] as const) {
    test(`all sizes and pictures, ${name}, ${colorScheme}`, { skip }, () =>
      visit({ viewport, colorScheme, hasTouch: name === "phone" }, async (page) => {
        for (const { name: picture, codecs } of content.pictures) {
          await page.getByLabel(picture, { exact: true }).check();
          for (const [index, size] of content.sizes.entries()) {
            await slide(page, index);
            assert.equal(await page.textContent("#bytes"), `${size} bytes`);
            for (const codec of CODECS) {
              const entry = codecs[codec][index];
              const shown = await page.locator(`#${codec}`).textContent();
              const expected = entry ? ` ${entry.bytes} bytes, ` : `None has ${size} bytes`;
              assert.ok(shown?.includes(expected), `${codec} at ${size}: ${shown}`);
              assert.ok(!entry || entry.bytes <= size);
            }
            const broken = await page.evaluate(async () => {
              const images = [...document.querySelectorAll<HTMLImageElement>("#pictures img")];
              await Promise.all(images.map((image) => image.decode()));
              return images.filter((image) => image.naturalWidth === 0).length;
            });
            assert.equal(broken, 0);
          }
        }
        assert.deepEqual(await flaws(page), []);
        const path = `${SCREENSHOTS}/${name}_${colorScheme}.png`;
        await page.screenshot({ path, fullPage: true });
      }),
    );
  }
}

test("the slider is moved by the keyboard", { skip }, () =>
  visit({ viewport: DESKTOP }, async (page) => {
    await page.locator("#size").focus();
    await page.keyboard.press("ArrowRight");
    assert.equal(await page.textContent("#bytes"), "32 bytes");
    assert.equal(await page.locator("#size").getAttribute("aria-valuetext"), "32 bytes");
  }),
);

/** The pixels of the canvases that the elements show. */
function drawn(page: Page): Promise<number[][]> {
  return page.locator("tfrnnc-preview").evaluateAll((elements) =>
    elements.map((element) => {
      const canvas = element.shadowRoot?.querySelector("canvas");
      const context = canvas?.getContext("2d");
      return canvas && context
        ? [...context.getImageData(0, 0, canvas.width, canvas.height).data]
        : [];
    }),
  );
}

test("elements show previews until their images have loaded", { skip }, () =>
  visit({ viewport: PHONE }, async (page) => {
    const texts = content.pictures.map(({ codecs }) => codecs.tfrnnc[1]?.text ?? "");
    const expected = texts.map((text) => [...decodePreview(text, weights).rgba]);
    assert.deepEqual(await drawn(page), expected);
    const boxes = () =>
      page.locator("tfrnnc-preview").evaluateAll((elements) =>
        elements.map((element) => {
          const { width, height } = element.getBoundingClientRect();
          return [width, height];
        }),
      );
    const sizes = await boxes();
    await page.locator("#list").screenshot({ path: `${SCREENSHOTS}/list.png` });
    await page.locator("#load").click();
    await page.waitForFunction(() =>
      [...document.querySelectorAll("tfrnnc-preview")].every(
        (element) => !element.shadowRoot?.querySelector("canvas"),
      ),
    );
    assert.deepEqual(await boxes(), sizes);
    await page.locator("#list").screenshot({ path: `${SCREENSHOTS}/list_loaded.png` });
  }),
);

test("an element that is used again shows its new text", { skip }, () =>
  visit({ viewport: DESKTOP, reducedMotion: "reduce" }, async (page) => {
    await page.locator("#load").click();
    await page.waitForFunction(() =>
      [...document.querySelectorAll("tfrnnc-preview")].every(
        (element) => !element.shadowRoot?.querySelector("canvas"),
      ),
    );
    const text = content.pictures[1].codecs.tfrnnc[4]?.text ?? "";
    const first = page.locator("tfrnnc-preview").first();
    await first.evaluate((element, value) => element.setAttribute("text", value), text);
    assert.deepEqual((await drawn(page))[0], [...decodePreview(text, weights).rgba]);
    await first.evaluate((element) => element.removeAttribute("text"));
    assert.deepEqual((await drawn(page))[0], []);
  }),
);

test("a text that is no preview and an image that is missing leave the alternative text", {
  skip,
}, async () => {
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    const errors: string[] = [];
    page.on("pageerror", (error) => errors.push(error.message));
    await page.goto(address);
    await page.locator("#tfrnnc img").waitFor();
    await page.evaluate(() => {
      document.querySelectorAll("tfrnnc-preview")[0].setAttribute("text", "not one!");
      const image = document.querySelectorAll<HTMLImageElement>("tfrnnc-preview img")[1];
      image.src = "missing.png";
    });
    await page.waitForFunction(
      () => !document.querySelectorAll("tfrnnc-preview")[1].shadowRoot?.querySelector("canvas"),
    );
    const lengths = (await drawn(page)).map((pixels) => pixels.length);
    assert.deepEqual(lengths, [0, 0, 4 * 32 * 32]);
    assert.match(errors.join("; "), /^preview not one!: has other characters/);
  } finally {
    await context.close();
  }
});
