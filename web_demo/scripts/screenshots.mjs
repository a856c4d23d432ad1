// Makes the pictures of the page that the documents show: `node scripts/screenshots.mjs`, after the
// build. They show the page as it opens.
import { chromium } from "playwright-core";
import { serve } from "./serve.mjs";

const DOCS = new URL("../../docs/", import.meta.url).pathname;
const PICTURES = {
  web_demo: { viewport: { width: 1280, height: 1000 } },
  web_demo_phone: { viewport: { width: 390, height: 844 }, isMobile: true, deviceScaleFactor: 2 },
};

const server = await serve(0);
const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
for (const [name, options] of Object.entries(PICTURES)) {
  const page = await browser.newPage(options);
  await page.goto(`http://localhost:${server.address().port}/`);
  await page.locator("#jpeg-caption:not(.stale)").filter({ hasText: "bytes" }).waitFor();
  await page.screenshot({ path: `${DOCS}${name}.jpg`, type: "jpeg", quality: 80 });
}
await browser.close();
server.close();
