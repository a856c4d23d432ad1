// The page in Firefox against the golden vectors that Python made; called by check_firefox.sh.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { PNG } from "pngjs";
import puppeteer from "puppeteer-core";
import { MODEL } from "./model.mjs";
import { serve } from "./serve.mjs";

const GOLDEN = fileURLToPath(new URL(`../${MODEL}/golden/chelsea`, import.meta.url));
const stream = readFileSync(`${GOLDEN}.rnnc`);
const photo = PNG.sync.read(readFileSync(`${GOLDEN}.png`));
const pictures = PNG.sync.read(readFileSync(`${GOLDEN}_steps.png`)).data; // One below the other.

const server = await serve(0);
const address = `http://localhost:${server.address().port}/`;
const browser = await puppeteer.launch({
  browser: "firefox",
  executablePath: process.env.FIREFOX,
  timeout: 120_000,
  protocolTimeout: 600_000,
});
try {
  const page = await browser.newPage();
  page.setDefaultTimeout(600_000);
  const faults = [];
  page.on("request", (request) => {
    const url = request.url();
    if (!/^(blob|data):/.test(url) && !url.startsWith(address)) faults.push(`a request to ${url}`);
  });
  page.on("console", (message) => {
    if (["error", "warn"].includes(message.type())) faults.push(message.text());
  });
  page.on("pageerror", (error) => faults.push(String(error)));
  await page.setViewport({ width: 390, height: 844 });
  await page.goto(address);
  await page.waitForSelector("#jpeg-caption:not(.stale)", { visible: true });

  await choose(page, `${GOLDEN}.png`);
  assert.deepEqual(await saved(page), [...stream]);
  console.log(`encodes ${photo.width}x${photo.height} pixels to Python's ${stream.length} bytes`);
  assert.ok((await apart(page)) <= 1);
  await choose(page, `${GOLDEN}.rnnc`);
  console.log(`decodes them within ${await apart(page)} grey level of Python's picture`);
  assert.ok((await apart(page)) <= 1);
  assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 390);
  assert.deepEqual(faults, []);
  console.log(`in ${await browser.version()}; no request left localhost, no error was logged`);
} finally {
  await browser.close();
  server.close();
}

/** Chooses a file, and waits until all sizes of it can be shown. */
async function choose(page, path) {
  const input = await page.$("#file");
  await input.uploadFile(path);
  await page.waitForFunction(() => {
    const slider = document.querySelector("#bytes");
    return slider.checkVisibility() && !slider.disabled;
  });
}

/** The bytes that the page hands to the browser to save. */
async function saved(page) {
  return page.evaluate(async () => {
    const { createObjectURL } = URL;
    let blob;
    URL.createObjectURL = (saved) => {
      blob = saved;
      return createObjectURL.call(URL, saved);
    };
    document.querySelector("#save").click();
    URL.createObjectURL = createObjectURL;
    return [...new Uint8Array(await blob.arrayBuffer())];
  });
}

/** By how many grey levels at most the picture shown differs from Python's after all iterations. */
async function apart(page) {
  const shown = await page.evaluate(() => {
    const canvas = document.querySelector("#ours");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let text = "";
    for (const byte of data) text += String.fromCharCode(byte);
    return btoa(text);
  });
  const rgba = Buffer.from(shown, "base64");
  assert.equal(rgba.length, photo.data.length);
  const last = pictures.subarray(pictures.length - rgba.length);
  return rgba.reduce((most, byte, i) => Math.max(most, Math.abs(byte - last[i])), 0);
}
