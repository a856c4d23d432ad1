/** The page in real Chromium, headless, against the golden vectors that Python made. */

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type Browser, chromium, type Page } from "playwright-core";
import { type Header, type Pixels, psnr, readHeader, toHex } from "../src/codec";
import { concatenate } from "../src/codec/bytes";
import { MAX_BPP } from "../src/codec/format";
import { headerBytes } from "../src/codec/header";
import { pngWithSwappedChannels } from "./color_profile";
import {
  exportedFolders,
  goldenImages,
  levels,
  REPOSITORY,
  readBytes,
  readPng,
  synthetic,
} from "./repository";
import { serve } from "./server";

const SCREENSHOTS = "test-output/screenshots";
const PHONE = { width: 390, height: 844 };
/** Milliseconds after which something that is waited for will not come, on a busy machine either. */
const PATIENCE = 120_000;
/** What Chromium and Little CMS may differ by: each rounds a profile's curves in its own way. */
const WIDE_GAMUT_LEVELS = 2;
const executablePath = [
  process.env.CHROMIUM,
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
].find((path) => path && existsSync(path));
const skip = executablePath
  ? false
  : "there is no Chromium; install it or set CHROMIUM to its path";

const dist = (...path: string[]) => join(REPOSITORY, "web_demo", "dist", ...path);
const built = existsSync(dist("model")) ? readdirSync(dist("model"))[0] : "";
const manifestOf = (path: string) =>
  JSON.parse(readFileSync(join(path, "manifest.json"), "utf8")) as { model_id: string };
const folders = exportedFolders().filter(
  ({ path }) =>
    manifestOf(join(REPOSITORY, ...path)).model_id === manifestOf(dist("model", built)).model_id,
);
const largest = folders.reduce((a, b) => (a.size[0] > b.size[0] ? a : b));
const large = goldenImages(largest)[0];
const goldenFile = (name: string) => join(REPOSITORY, ...largest.path, "golden", name);

let browser: Browser;
let server: Awaited<ReturnType<typeof serve>>;
let address: string;

before(async () => {
  if (skip) return;
  mkdirSync(SCREENSHOTS, { recursive: true });
  server = await serve(0);
  address = `http://localhost:${(server.address() as AddressInfo).port}/`;
  // In a container there is neither a sandbox nor a large /dev/shm.
  const args = ["--no-sandbox", "--disable-dev-shm-usage"];
  browser = await chromium.launch({ executablePath: executablePath as string, args });
});

after(async () => {
  await browser?.close();
  server?.close();
});

/**
 * Opens the page, which shows its example, and does something there; nothing may be asked of others, nor
 * be logged.
 */
async function visit(
  options: Parameters<Browser["newContext"]>[0],
  work: (page: Page, requests: readonly string[]) => Promise<void>,
): Promise<void> {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  const faults: string[] = [];
  const requests: string[] = [];
  context.on("request", (request) => {
    requests.push(request.url());
    const { protocol, origin } = new URL(request.url());
    if (!["blob:", "data:"].includes(protocol) && `${origin}/` !== address) {
      faults.push(`a request to ${request.url()}`);
    }
  });
  context.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) faults.push(message.text());
  });
  context.on("weberror", (error) => faults.push(String(error.error())));
  try {
    await page.goto(address);
    await showsExample(page);
    await work(page, requests);
    assert.deepEqual(faults, []);
    assert.ok(requests.length > 5);
  } finally {
    await context.close();
  }
}

async function showsExample(page: Page): Promise<void> {
  await page.getByText("compressed when this page was made").waitFor();
  await page.locator("#jpeg-caption:not(.stale)").filter({ hasText: "bytes" }).waitFor();
}

/** Has the page load the model, which it does when it is first asked for something. */
async function load(page: Page): Promise<void> {
  await slide(page, Number(await page.getAttribute("#bytes", "max")));
}

async function choose(page: Page, ...files: Parameters<Page["setInputFiles"]>[1][]): Promise<void> {
  for (const file of files) await page.setInputFiles("#file", file);
}

/** Waits until all sizes of an image can be shown. */
async function whole(page: Page): Promise<void> {
  await page.locator("#bytes:enabled").waitFor();
}

async function save(page: Page): Promise<Uint8Array> {
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("#save")]);
  return new Uint8Array(readFileSync(await download.path()));
}

/** What a canvas shows. */
async function picture(page: Page, canvas: string): Promise<Pixels> {
  const { width, height, text } = await page.locator(canvas).evaluate((canvas) => {
    const { width, height } = canvas as HTMLCanvasElement;
    const context = (canvas as HTMLCanvasElement).getContext("2d");
    const rgba = context?.getImageData(0, 0, width, height).data ?? [];
    let text = "";
    for (const byte of rgba) text += String.fromCharCode(byte);
    return { width, height, text: btoa(text) };
  });
  const rgba = Buffer.from(text, "base64");
  return { width, height, data: new Uint8Array(rgba.filter((_, i) => i % 4 < 3)) };
}

/** Moves the slider, and waits for what it shows. */
async function slide(page: Page, bytes: number): Promise<void> {
  await page.locator("#bytes").evaluate((input, value) => {
    (input as HTMLInputElement).value = String(value);
    input.dispatchEvent(new Event("input"));
  }, bytes);
  await shows(page, bytes);
}

/** Waits until a picture of at most this many bytes is shown, and a little fewer. */
async function shows(page: Page, bytes: number): Promise<void> {
  await page.waitForFunction((most) => {
    const text = document.querySelector("#ours-caption span")?.textContent ?? "";
    const shown = Number(text.split(" bytes")[0].replaceAll(",", ""));
    return shown <= most && shown > 0.6 * most;
  }, bytes);
}

/** What is added to the worker's globals by `hold`. */
interface Held {
  setTimeout: (work: () => void, delay?: number) => number;
  goOn: () => void;
}

/**
 * Has the worker stop within the next encoding, when a number of iterations is computed and all but the last
 * one are reported. It goes on when it hears of a later request, or by the function that is returned.
 */
async function hold(page: Page, iterations: number): Promise<() => Promise<void>> {
  const [worker] = page.workers();
  await worker.evaluate((iterations) => {
    const held = self as unknown as Held;
    const { setTimeout } = held;
    let left = iterations;
    // Without a delay it is called between two iterations, by `nextTask` of the worker.
    held.setTimeout = (work, delay) => {
      if (delay !== undefined || --left > 0) return setTimeout(work, delay);
      held.goOn = () => {
        held.setTimeout = setTimeout;
        self.removeEventListener("message", held.goOn);
        setTimeout(work);
      };
      self.addEventListener("message", held.goOn);
      return 0;
    };
  }, iterations);
  return () => worker.evaluate(() => (self as unknown as Held).goOn());
}

test("encodes to Python's bits, and shows its pictures at each iteration", { skip }, async () => {
  await visit({ viewport: { width: 1280, height: 900 } }, async (page) => {
    await choose(page, goldenFile(`${large.name}.png`));
    await whole(page);
    assert.equal(toHex(await save(page)), toHex(large.stream));
    assert.equal(levels(await picture(page, "#original"), large.image), 0);
    const last = large.pictures.length - 1;
    assert.ok(levels(await picture(page, "#ours"), large.pictures[last]) <= 1);
    const ends = await page
      .locator("#iterations option")
      .evaluateAll((options) =>
        options.map((option) => Number((option as HTMLOptionElement).value)),
      );
    assert.equal(ends.length, large.pictures.length);
    for (const iteration of [last - 1, 2]) {
      assert.ok(8 * ends[iteration] > MAX_BPP * large.image.width * large.image.height);
      await slide(page, ends[iteration]);
      assert.ok(levels(await picture(page, "#ours"), large.pictures[iteration]) <= 1);
      assert.equal((await save(page)).length, ends[iteration]);
    }
    await page.locator("#jpeg:not(.stale)").waitFor();
    assert.match((await page.textContent("#jpeg-caption")) ?? "", /bytes, [\d.]+ dB/);
    await page.screenshot({ path: `${SCREENSHOTS}/desktop.png`, fullPage: true });
  });
});

test("few bytes are those of half the resolution, where that is better", { skip }, async () => {
  await visit({}, async (page) => {
    const { image, pictures, stream } = large;
    await choose(page, goldenFile(`${large.name}.png`));
    await whole(page);
    assert.doesNotMatch((await page.textContent("#content")) ?? "", /resolution/);
    const first = page.locator("#iterations option").first();
    await slide(page, Number(await first.getAttribute("value")));
    const shown = await picture(page, "#ours");
    assert.ok(psnr(image, shown) > psnr(image, pictures[0]) + 0.5);
    const data = await save(page);
    const { header } = readHeader(data);
    assert.deepEqual([header.width, header.height], [image.width, image.height]);
    assert.equal(header.downscale, 2);
    const bpp = ((8 * data.length) / (image.width * image.height)).toFixed(3);
    const text = `at half the resolution, ${bpp} bits per pixel`;
    await page.locator("#content").filter({ hasText: text }).waitFor();
    // As every decoder shows it: here from the file that was saved.
    await choose(page, { name: "half.rnnc", mimeType: "", buffer: Buffer.from(data) });
    await whole(page);
    await page.locator("#content").filter({ hasText: text }).waitFor();
    assert.equal(levels(await picture(page, "#ours"), shown), 0);
    assert.match((await page.textContent("#status")) ?? "", /256 × 256 pixels/);
    const least = Number(await page.getAttribute("#bytes", "min"));
    await slide(page, least);
    assert.equal(readHeader(await save(page)).header.downscale, 2);
    assert.ok(least < data.length && data.length < stream.length);
  });
});

test("decodes Python's stream, and cuts it to the byte", { skip }, async () => {
  await visit({}, async (page) => {
    await choose(page, goldenFile(`${large.name}.rnnc`));
    await whole(page);
    const last = large.pictures[large.pictures.length - 1];
    assert.ok(levels(await picture(page, "#ours"), last) <= 1);
    for (const id of ["#original", "#jpeg", "#split", "#compare"]) {
      assert.ok(await page.locator(id).isHidden(), id);
    }
    assert.equal(toHex(await save(page)), toHex(large.stream));
    for (const bytes of [large.stream.length - 1, 1234]) {
      await slide(page, bytes);
      const cut = await save(page);
      assert.ok(cut.length === bytes, `${cut.length} bytes instead of ${bytes}`);
      await choose(page, { name: "cut.rnnc", mimeType: "", buffer: Buffer.from(cut) });
      await whole(page);
      assert.ok(await page.locator("#error").isHidden());
      await choose(page, goldenFile(`${large.name}.rnnc`));
      await whole(page);
    }
  });
});

/** The golden stream with another header. */
function headerOf(change: Partial<Header>): Uint8Array {
  const { header, length } = readHeader(large.stream);
  return concatenate(headerBytes({ ...header, ...change }), large.stream.subarray(length));
}

test("says plainly what fails, and goes on", { skip }, async () => {
  const damaged = large.stream.slice();
  damaged[Math.floor(damaged.length / 2)] ^= 0x55;
  const foreign = large.stream.slice();
  foreign[3] ^= 1;
  const newer = large.stream.slice();
  newer[2] = (newer[2] & 0xf0) | 9;
  const cases: [string, Uint8Array, RegExp][] = [
    ["foreign.rnnc", readBytes("README.md"), /Not a tfrnnc stream/],
    ["empty.rnnc", new Uint8Array(0), /The stream is empty/],
    ["newer.rnnc", newer, /Format version 9 is not known/],
    ["header.rnnc", foreign, /its header is wrong/],
    ["short.rnnc", large.stream.subarray(0, 20), /cut after 20 bytes, 0 of \d+ iterations/],
    [
      "huge.rnnc",
      headerOf({ width: 40_000, height: 40_000 }),
      /more than the limit of 4,194,304; tfrnnc-decode/,
    ],
    ["other.rnnc", headerOf({ modelId: new Uint8Array(4) }), /was made by model 00000000/],
    ["no-image.png", readBytes("README.md"), /cannot read the file as an image/],
  ];
  await visit({}, async (page) => {
    const alert = page.getByRole("alert");
    for (const [name, content, message] of cases) {
      await choose(page, { name, mimeType: "", buffer: Buffer.from(content) });
      await alert.filter({ hasText: message }).waitFor();
      assert.ok(await page.locator("#result").isHidden(), name);
    }
    for (const [name, content, message] of [
      [
        "damaged.rnnc",
        damaged,
        /is damaged: [1-9] of \d+ iterations are whole. Shown is what is there/,
      ],
      ["cut.rnnc", large.stream.subarray(0, 2000), /is cut: [1-9] of \d+ iterations are whole/],
    ] as const) {
      await choose(page, { name, mimeType: "", buffer: Buffer.from(content) });
      await whole(page);
      assert.match((await alert.textContent()) ?? "", message);
    }
    await page.screenshot({ path: `${SCREENSHOTS}/cut.png` });
    await choose(page, goldenFile(`${large.name}.rnnc`));
    await whole(page);
    assert.ok(await alert.isHidden());
  });
});

test("fits a phone, and goes by touch", { skip }, async () => {
  const phone = { viewport: PHONE, hasTouch: true, isMobile: true, deviceScaleFactor: 2 };
  await visit(phone, async (page) => {
    await page.screenshot({ path: `${SCREENSHOTS}/phone-start.png` });
    await load(page);
    const goOn = await hold(page, 4);
    await page.tap("#example");
    await page.getByText("Iteration 3 of ").waitFor();
    assert.equal(await page.locator("#progress:visible").getAttribute("value"), "3");
    await page.screenshot({ path: `${SCREENSHOTS}/phone-encoding.png` });
    await goOn();
    await whole(page);
    const box = await page.locator("#bytes").boundingBox();
    assert.ok(box);
    await page.touchscreen.tap(box.x + box.width / 4, box.y + box.height / 2);
    await page.waitForFunction(() => {
      const { value, max } = document.querySelector("#bytes") as HTMLInputElement;
      return Number(value) < Number(max) / 2;
    });
    await shows(page, Number(await page.inputValue("#bytes")));
    await page.locator("#jpeg:not(.stale)").waitFor();
    await page.screenshot({ path: `${SCREENSHOTS}/phone.png`, fullPage: true });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= PHONE.width, `${wide} pixels wide`);
    for (const control of await page.locator("button, .button, .choice, select, #bytes").all()) {
      const size = await control.boundingBox();
      assert.ok(size && size.height >= 44, `${await control.textContent()} is hard to touch`);
    }
  });
});

test("colours of an embedded profile are converted to sRGB", { skip }, async () => {
  await visit({}, async (page) => {
    const image = synthetic(40, 24);
    const buffer = pngWithSwappedChannels(image);
    await choose(page, { name: "swapped.png", mimeType: "image/png", buffer });
    await whole(page);
    const data = image.data.map((_, i) => image.data[i + [1, -1, 0][i % 3]]);
    const most = levels(await picture(page, "#original"), { ...image, data });
    assert.ok(most <= 3, `${most} grey levels`);
  });
});

test("a wide-gamut image has the pixels that Python reads", { skip }, async () => {
  await visit({}, async (page) => {
    await choose(page, join(REPOSITORY, "tests/golden/wide_gamut.png"));
    await whole(page);
    const expected = readPng("tests/golden/wide_gamut_srgb.png");
    const most = levels(await picture(page, "#original"), expected);
    assert.ok(most <= WIDE_GAMUT_LEVELS, `${most} grey levels`);
  });
});

test("a worker's images are told apart by several callers", { skip }, async () => {
  await visit({}, async (page) => {
    const stream = Array.from(large.stream);
    const [model, wasm] = ["model", "wasm"].map((name) => `${name}/${readdirSync(dist(name))[0]}/`);
    const parameters = { bytes: stream, model, wasm };
    const outcomes = await page.evaluate(async ({ bytes, model, wasm }) => {
      const worker = new Worker("worker.js");
      let count = 0;
      const ask = (method: string, ...parameters: unknown[]) =>
        new Promise<{ kind: string; name?: string; result?: { image: number; data: Uint8Array } }>(
          (resolve) => {
            const id = ++count;
            const hear = ({ data }: MessageEvent) => {
              if (data.id !== id || data.kind === "progress") return;
              worker.removeEventListener("message", hear);
              resolve(data);
            };
            worker.addEventListener("message", hear);
            worker.postMessage({ id, method, parameters });
          },
        );
      const at = (path: string) => new URL(path, location.href).href;
      const data = Uint8Array.from(bytes);
      const [, first, second] = await Promise.all([
        ask("load", at(model), at(wasm)),
        ask("open", data, 1e9),
        ask("open", data, 1e9),
      ]);
      const fits = await Promise.all([
        ask("fit", first.result?.image, 900),
        ask("fit", second.result?.image, 900),
        ask("fit", second.result?.image, 1500),
        ask("receive", first.result?.image, data.slice(0, 900)),
        ask("receive", second.result?.image, data.slice(0, 900)),
      ]);
      worker.terminate();
      return fits.map(({ kind, name, result }) => name ?? `${kind} ${result?.data.length}`);
    }, parameters);
    const expected = ["GivenUp", "result 900", "result 1500", "GivenUp", "result 900"];
    assert.deepEqual(outcomes, expected);
  });
});

test("goes by keyboard", { skip }, async () => {
  await visit({}, async (page) => {
    await choose(page, goldenFile(`${large.name}.rnnc`));
    await whole(page);
    const reached: string[] = [];
    await page.locator("body").press("Tab");
    for (let presses = 0; presses < 20; presses++) {
      reached.push(await page.evaluate(() => document.activeElement?.id ?? ""));
      await page.keyboard.press("Tab");
    }
    const order = [
      "viewport",
      "zoom-in",
      "exact",
      "bytes",
      "file",
      "example",
      "side",
      "save",
      "save-png",
      "speed",
      "send",
    ];
    assert.deepEqual(reached.filter((id) => order.includes(id)).slice(0, order.length), order);
    await page.locator("#bytes").focus();
    await page.keyboard.press("ArrowLeft");
    await shows(page, large.stream.length - 1);
    assert.equal(await page.inputValue("#exact"), String(large.stream.length - 1));
    await page.keyboard.press("Home");
    const least = Number(await page.getAttribute("#bytes", "min"));
    await shows(page, least);
    assert.equal((await save(page)).length, least);
    await page.fill("#exact", "999999");
    await page.keyboard.press("Enter");
    await shows(page, large.stream.length);
    assert.equal(await page.inputValue("#exact"), String(large.stream.length));
    const unnamed = await page.evaluate(() =>
      [...document.querySelectorAll("button, input, select, progress, canvas")]
        .filter((each) => {
          const label = (each as HTMLInputElement).labels?.[0]?.textContent;
          return !(label || each.ariaLabel || each.textContent)?.trim();
        })
        .map((each) => each.id),
    );
    assert.deepEqual(unnamed, []);
  });
});

test("a slow link shows more and more, up to the whole", { skip }, async () => {
  await visit({}, async (page) => {
    await choose(page, goldenFile(`${large.name}.png`));
    await whole(page);
    // From here on the page's clock is ours.
    await page.clock.install({ time: 0 });
    await page.clock.pauseAt(1000);
    const { length } = large.stream;
    const text = page.locator("#received-text");
    const come = async (bytes: number) => {
      const of = `${bytes.toLocaleString("en")} of ${length.toLocaleString("en")} bytes: `;
      await text.filter({ hasText: of }).waitFor();
      return ((await text.textContent()) ?? "").slice(of.length);
    };
    await page.selectOption("#speed", "4000");
    await page.click("#send");
    assert.equal(await come(0), "not enough for a picture yet");
    const seen = new Set<string>();
    for (let bytes = 240; bytes < length; bytes += 240) {
      await page.clock.runFor(60);
      const contents = await come(bytes);
      seen.add(contents);
      if (!contents.startsWith("not")) {
        const caption = (await page.textContent("#ours-caption")) ?? "";
        assert.ok(caption.includes(` ${bytes.toLocaleString("en")} bytes`), caption);
      }
    }
    assert.ok(seen.size > large.pictures.length, [...seen].join("\n"));
    await page.clock.runFor(60);
    await come(length);
    await page.clock.runFor(60);
    await page.getByRole("button", { name: "Send" }).waitFor();
    const last = large.pictures[large.pictures.length - 1];
    assert.ok(levels(await picture(page, "#ours"), last) <= 1);
  });
});

test("a transmission that was stopped does not go on with the next", { skip }, async () => {
  await visit({}, async (page) => {
    await choose(page, goldenFile(`${large.name}.rnnc`));
    await whole(page);
    await page.clock.install({ time: 0 });
    await page.clock.pauseAt(1000);
    const text = page.locator("#received-text");
    await page.selectOption("#speed", "1000");
    await page.click("#send");
    await text.filter({ hasText: "0 of " }).waitFor();
    await page.clock.runFor(60);
    await text.filter({ hasText: "60 of " }).waitFor();
    await page.evaluate(() => {
      for (let clicks = 0; clicks < 2; clicks++) document.getElementById("send")?.click();
    });
    await text.filter({ hasText: /^0 of / }).waitFor();
    const said = await watch(page);
    await page.clock.runFor(60);
    await text.filter({ hasText: /^60 of / }).waitFor();
    await page.clock.runFor(60);
    await text.filter({ hasText: /^120 of / }).waitFor();
    const shown = (await said()).map(({ text }) => text.split(" of ")[0]);
    assert.deepEqual(shown, ["60", "120"]);
  });
});

/** Has the page note what it says, and after how many of its frames, from now on. */
async function watch(page: Page): Promise<() => Promise<{ text: string; frame: number }[]>> {
  await page.evaluate(() => {
    const said: { text: string; frame: number }[] = [];
    let frame = 0;
    const count = () => {
      frame++;
      requestAnimationFrame(count);
    };
    requestAnimationFrame(count);
    for (const id of ["status", "content", "received-text"]) {
      const element = document.getElementById(id) as HTMLElement;
      const note = () => said.push({ text: element.textContent ?? "", frame });
      new MutationObserver(note).observe(element, { childList: true });
    }
    Object.assign(window, { said });
  });
  return () =>
    page.evaluate(() => (window as unknown as { said: { text: string; frame: number }[] }).said);
}

test("the page lives while it encodes", { skip }, async () => {
  await visit({}, async (page) => {
    const said = await watch(page);
    await page.click("#example");
    await whole(page);
    const iterations = (await said()).filter(({ text }) => text.startsWith("Iteration "));
    const total = large.pictures.length;
    assert.deepEqual(
      iterations.map(({ text }) => text),
      Array.from({ length: total }, (_, iteration) => `Iteration ${iteration + 1} of ${total}`),
    );
    // Had the page waited for the codec, no frame would have come between the iterations. How many come
    // is the machine's affair.
    assert.ok(new Set(iterations.map(({ frame }) => frame)).size > 1, JSON.stringify(iterations));
  });
});

test("a later image comes first", { skip }, async () => {
  await visit({}, async (page) => {
    const said = await watch(page);
    await load(page);
    await hold(page, 2);
    await page.click("#example");
    await page.getByText("Iteration 1 of ").waitFor();
    await choose(page, goldenFile(`${large.name}.rnnc`));
    await page.getByText(`${large.name}.rnnc: `).waitFor();
    await whole(page);
    const texts = (await said()).map(({ text }) => text);
    const iterations = texts.filter((text) => text.startsWith("Iteration "));
    assert.deepEqual(iterations, [`Iteration 1 of ${large.pictures.length}`]);
    assert.ok(!texts.some((text) => text.includes("encoded in")), texts.join("\n"));
    const last = large.pictures[large.pictures.length - 1];
    assert.ok(levels(await picture(page, "#ours"), last) <= 1);
    assert.ok(await page.locator("#error").isHidden());
    assert.ok(await page.locator("#progress").isHidden());
  });
});

test("opens with its example beside a JPEG, and loads the model when asked", { skip }, async () => {
  await visit({ viewport: { width: 1280, height: 900 } }, async (page, requests) => {
    const large = () => requests.filter((url) => /\/(model|wasm)\//.test(url));
    assert.deepEqual(large(), []);
    assert.equal(page.workers().length, 0);
    const start = Number(await page.inputValue("#bytes"));
    assert.ok(start > 2000 && start < 8000, `${start} bytes`);
    assert.ok(start < Number(await page.getAttribute("#bytes", "max")));
    const caption = (await page.textContent("#jpeg-caption span")) ?? "";
    const bytes = Number(caption.split(" bytes")[0].replaceAll(",", ""));
    assert.ok(bytes <= start && bytes > start / 2, caption);
    assert.match((await page.textContent("#ours-caption")) ?? "", /bytes, [\d.]+ dB/);
    await page.screenshot({ path: `${SCREENSHOTS}/start.png`, fullPage: true });
    const shown = await picture(page, "#ours");
    const least = Number(await page.getAttribute("#bytes", "min"));
    await slide(page, least);
    assert.ok(large().length > 3);
    assert.ok(levels(await picture(page, "#ours"), shown) > 1);
    await slide(page, start);
    assert.ok(levels(await picture(page, "#ours"), shown) <= 1);
    assert.equal((await save(page)).length, start);
    assert.match((await page.textContent("#ours-caption")) ?? "", /bytes, [\d.]+ dB/);
  });
});

test("the border between the pictures goes by pointer and by keyboard", { skip }, async () => {
  await visit({ viewport: { width: 900, height: 900 } }, async (page) => {
    const border = page.getByRole("slider", { name: "Border between the pictures" });
    const value = async () => Number(await border.getAttribute("aria-valuenow"));
    const cut = () => page.locator("#ours").evaluate((canvas) => canvas.style.clipPath);
    assert.equal(await value(), 50);
    assert.match(await cut(), /^inset\(0(px)? 0(px)? 0(px)? 50%\)$/);
    const stage = await page.locator("#stage").boundingBox();
    assert.ok(stage);
    const y = stage.y + stage.height / 3;
    await page.mouse.move(stage.x + stage.width / 2, y);
    await page.mouse.down();
    await page.mouse.move(stage.x + stage.width / 4, y, { steps: 3 });
    await page.mouse.up();
    assert.equal(await value(), 25);
    await page.mouse.move(stage.x + stage.width / 2, y); // It was let go.
    assert.equal(await value(), 25);
    assert.match(await cut(), / 25(\.\d+)?%\)$/);
    await border.focus();
    for (const [key, expected] of [
      ["ArrowRight", 27],
      ["ArrowUp", 29],
      ["ArrowLeft", 27],
      ["PageDown", 17],
      ["Home", 0],
      ["ArrowDown", 0],
      ["PageUp", 10],
      ["End", 100],
    ] as const) {
      await page.keyboard.press(key);
      assert.equal(await value(), expected, key);
    }
    assert.match((await border.getAttribute("aria-valuetext")) ?? "", /JPEG on 100 % of the width/);
    await page.getByLabel("Original", { exact: true }).check();
    assert.match((await border.getAttribute("aria-valuetext")) ?? "", /Original on 100 %/);
    assert.ok(await page.locator("#original").isVisible());
    assert.ok(await page.locator("#jpeg").isHidden());
    assert.ok(await page.locator("#jpeg-caption").isHidden());
  });
});

test("zooms into the middle, and scrolls from there", { skip }, async () => {
  await visit({ viewport: { width: 900, height: 900 } }, async (page) => {
    const seen = () =>
      page.locator("#viewport").evaluate(({ scrollLeft, scrollTop, clientWidth, scrollWidth }) => ({
        middle: (scrollLeft + clientWidth / 2) / scrollWidth,
        times: scrollWidth / clientWidth,
        scrollTop,
      }));
    const cut = () =>
      page
        .locator("#ours")
        .evaluate((canvas) => Number(/ ([\d.]+)%/.exec(canvas.style.clipPath)?.[1]));
    assert.ok(await page.locator("#zoom-out").isDisabled());
    await page.click("#zoom-in");
    await page.click("#zoom-in");
    assert.equal(await page.textContent("#zoom"), "4×");
    const { middle, times } = await seen();
    assert.ok(Math.abs(times - 4) < 0.05 && Math.abs(middle - 0.5) < 0.01, `${times} ${middle}`);
    assert.ok(Math.abs((await cut()) - 50) < 1);
    await page.locator("#viewport").evaluate((viewport) => viewport.scrollTo(0, 0));
    await page.waitForFunction(() =>
      / 12\.5/.test(document.getElementById("ours")?.style.clipPath ?? ""),
    );
    await page.locator("#stage").scrollIntoViewIfNeeded();
    const stage = await page.locator("#stage").boundingBox();
    assert.ok(stage);
    const [x, y] = [stage.x + stage.width / 4, stage.y + stage.height / 2];
    await page.mouse.move(x, y);
    await page.mouse.down();
    await page.mouse.move(x - 40, y - 30, { steps: 4 });
    await page.mouse.up();
    assert.ok((await seen()).scrollTop > 20);
    await page.locator("#viewport").focus();
    await page.keyboard.press("+");
    assert.equal(await page.textContent("#zoom"), "8×");
    assert.ok(await page.locator("#zoom-in").isDisabled());
    await page.screenshot({ path: `${SCREENSHOTS}/zoom.png` });
    await page.keyboard.press("0");
    assert.equal(await page.textContent("#zoom"), "1×");
    assert.ok(Math.abs((await cut()) - 50) < 1);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= 900, `${wide} pixels wide`);
  });
});

test("works offline after a visit, and says so where the model is missing", { skip }, async () => {
  const own = await serve(0);
  const url = `http://localhost:${(own.address() as AddressInfo).port}/`;
  const contexts = await Promise.all([browser.newContext(), browser.newContext()]);
  try {
    const [complete, opened] = await Promise.all(
      contexts.map(async (context) => {
        context.setDefaultTimeout(PATIENCE);
        const page = await context.newPage();
        await page.goto(url);
        await showsExample(page);
        await page.evaluate(async () => {
          await navigator.serviceWorker.ready;
        });
        return page;
      }),
    );
    await load(complete);
    own.closeAllConnections();
    await new Promise((resolve) => own.close(resolve));
    for (const page of [complete, opened]) {
      await page.reload();
      await showsExample(page);
    }
    await choose(complete, goldenFile(`${large.name}.png`));
    await whole(complete);
    assert.equal(toHex(await save(complete)), toHex(large.stream));
    await complete.goto(`${url}?from=elsewhere#there`);
    await showsExample(complete);

    const start = await opened.inputValue("#bytes");
    await opened.locator("#bytes").press("ArrowRight");
    await opened.getByRole("alert").filter({ hasText: "check the connection" }).waitFor();
    assert.equal(await opened.inputValue("#bytes"), start);
    assert.ok(await opened.locator("#ours").isVisible());
  } finally {
    await Promise.all(contexts.map((context) => context.close()));
    own.close();
  }
});

/** The least contrast of borders and of the ring around what has the focus, to what is beside them. */
async function leastContrast(page: Page): Promise<{ name: string; contrast: number }[]> {
  await page.evaluate(() => {
    const luminance = (colour: string) => {
      const [red, green, blue] = (colour.match(/[\d.]+/g) ?? []).slice(0, 3).map((level) => {
        const value = Number(level) / 255;
        return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const background = (element: Element | null): string => {
      if (!element) return "rgb(255, 255, 255)";
      const { backgroundColor } = getComputedStyle(element);
      return /, 0\)$/.test(backgroundColor) ? background(element.parentElement) : backgroundColor;
    };
    const contrast = (colour: string, beside: Element | null) => {
      const [dark, light] = [luminance(colour), luminance(background(beside))].sort(
        (a, b) => a - b,
      );
      return (light + 0.05) / (dark + 0.05);
    };
    Object.assign(window, { contrast });
  });
  const borders = await page.evaluate(() => {
    const { contrast } = window as unknown as {
      contrast: (c: string, e: Element | null) => number;
    };
    return [...document.querySelectorAll("button, .button, select, #exact, .panel")].map(
      (each) => ({
        name: `border of ${each.id || each.className}`,
        contrast: contrast(getComputedStyle(each).borderTopColor, each.parentElement),
      }),
    );
  });
  const rings: typeof borders = [];
  await page.locator("h1").click();
  for (let presses = 0; presses < 20; presses++) {
    await page.keyboard.press("Tab");
    const ring = await page.evaluate(() => {
      const { contrast } = window as unknown as {
        contrast: (c: string, e: Element | null) => number;
      };
      const focused = document.activeElement;
      if (!focused || focused === document.body) return undefined;
      const shown = focused.id === "file" ? document.querySelector(".button") : focused;
      const ofHandle = focused.id === "split";
      const style = getComputedStyle(shown as Element, ofHandle ? "::after" : undefined);
      const solid = style.outlineStyle === "solid" && Number.parseFloat(style.outlineWidth) >= 2;
      // The handle lies on pictures of any colour: its ring is white in black.
      const beside = ofHandle ? /rgb\(0, 0, 0\)/.test(style.boxShadow) && 21 : undefined;
      const value = beside ?? contrast(style.outlineColor, (shown as Element).parentElement);
      return { name: `ring of ${focused.id}`, contrast: solid && value ? value : 0 };
    });
    if (ring) rings.push(ring);
  }
  assert.ok(borders.length > 10 && rings.length > 10);
  return [...borders, ...rings].filter(({ contrast }) => contrast < 3);
}

test("borders and focus rings have a contrast of 3 to 1", { skip }, async () => {
  for (const colorScheme of ["light", "dark"] as const) {
    await visit({ colorScheme }, async (page) => {
      assert.deepEqual(await leastContrast(page), [], colorScheme);
    });
  }
});

test("links to the project, where the build knew its address", { skip }, async () => {
  const address = process.env.PROJECT_URL;
  await visit({}, async (page) => {
    const links = await page
      .locator("#home")
      .evaluateAll((all) => all.map((each) => each.getAttribute("href")));
    assert.deepEqual(links, address ? [address] : []);
  });
});
