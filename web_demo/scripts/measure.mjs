// Times encoding and decoding in headless Chromium: `node scripts/measure.mjs IMAGE [RUNS]`, after
// the build. Says what the page says, encoding with all iterations and then decoding what was saved, and
// the CPU time that the page took, which counts where other work runs beside it.
import { chromium } from "playwright-core";
import { serve } from "./serve.mjs";

const [image, runs = "3"] = process.argv.slice(2);
const server = await serve(0);
const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
console.log(`Chromium ${browser.version()}`);
const page = await browser.newPage();
await page.goto(`http://localhost:${server.address().port}/`);
await page.locator("#bytes:enabled").waitFor({ timeout: 60_000 });
// Loads the model, which the times are without.
await page.locator("#bytes").press("Home");
await page.getByText("shown in").waitFor({ timeout: 60_000 });

const session = await browser.newBrowserCDPSession();

/** Seconds that the page's process has computed. */
async function processorTime() {
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  return processInfo
    .filter(({ type }) => type === "renderer")
    .reduce((sum, { cpuTime }) => sum + cpuTime, 0);
}

async function timed(file) {
  const start = await processorTime();
  await page.setInputFiles("#file", file);
  await page.locator("#bytes:enabled").waitFor({ timeout: 300_000 });
  const seconds = (await processorTime()) - start;
  return `${await page.textContent("#status")}; ${seconds.toFixed(1)} s of CPU time`;
}

for (let run = 0; run < Number(runs); run++) {
  console.log(await timed(image));
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("#save")]);
  const path = `${await download.path()}.rnnc`;
  await download.saveAs(path);
  console.log(await timed(path));
}
await browser.close();
server.close();
