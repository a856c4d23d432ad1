/** The page. */

import type { Opened, Progress, View } from "../worker/protocol";
import { CodecClient, WorkerError } from "./codec_client";
import { readImage, show, toBlob } from "./images";
import { JpegComparison } from "./jpeg";

/** Pixels of the largest image that is shown, here or in a file that is opened. */
const MAX_PIXELS = 2 ** 22;
const EXAMPLE = "example.png";

const element = <Kind extends HTMLElement>(id: string) => document.getElementById(id) as Kind;
const drop = element("drop");
const file = element<HTMLInputElement>("file");
const example = element<HTMLButtonElement>("example");
const side = element<HTMLSelectElement>("side");
const status = element("status");
const progress = element<HTMLProgressElement>("progress");
const error = element("error");
const result = element("result");
const bytes = element<HTMLInputElement>("bytes");
const exact = element<HTMLInputElement>("exact");
const speed = element<HTMLSelectElement>("speed");
const send = element<HTMLButtonElement>("send");
const received = element<HTMLProgressElement>("received");
const receivedText = element("received-text");
const [ours, jpeg, original] = ["ours", "jpeg", "original"].map((id) => {
  const figure = element(id);
  return {
    figure,
    canvas: figure.querySelector("canvas") as HTMLCanvasElement,
    caption: figure.querySelector("figcaption span") as HTMLElement,
  };
});

/** The image at hand. */
interface Session {
  readonly name: string;
  readonly opened: Opened;
  readonly jpeg: JpegComparison | undefined;
  /** What is shown, and saved. */
  view: View;
}

let session: Session | undefined;
let client: CodecClient | undefined;
let starting: Promise<CodecClient> | undefined;
let iterations = 0; // Of the model.
let chosen = 0; // Counts the images, so that late answers are known.
let sending = 0; // The transmission that goes on; 0 if none does.
let transmissions = 0; // Counts them, so that one that was stopped does not go on with the next.

const count = (value: number) => value.toLocaleString("en");
const size = (width: number, height: number) => `${width} × ${height}`;

/** Starts the worker and loads the model; again after the worker has failed. */
function start(): Promise<CodecClient> {
  starting ??= (async () => {
    const started = new CodecClient("worker.js");
    client = started;
    const at = (path: string) => new URL(path, location.href).href;
    const info = await started.ask("load", at("model/"), at("wasm/"));
    iterations = info.iterations;
    element("about").textContent =
      `Model ${info.modelId}, ${info.iterations} iterations. Toderici et al., Variable Rate Image ` +
      "Compression with Recurrent Neural Networks, ICLR 2016.";
    return started;
  })();
  starting.catch(stop);
  return starting;
}

/** Ends a worker that cannot be trusted any more; the next image gets another. */
function stop(): void {
  const failed = client;
  client = undefined;
  starting = undefined;
  session = undefined;
  failed?.end();
}

/** Does something for a new image; what fails is said plainly, and the old image is gone. */
async function choose(name: string, work: (turn: number) => Promise<void>): Promise<void> {
  const turn = ++chosen;
  stopSending();
  session = undefined;
  result.hidden = true;
  error.hidden = true;
  progress.hidden = true;
  status.textContent = `Reading ${name}`;
  try {
    await work(turn);
  } catch (failure) {
    if (turn === chosen) fail(failure);
  } finally {
    if (turn === chosen) progress.hidden = true;
  }
}

async function encode(name: string, blob: Blob): Promise<void> {
  await choose(name, async (turn) => {
    const { pixels, from } = await readImage(blob, Number(side.value));
    const codec = await start();
    if (turn !== chosen) return;
    status.textContent = `Encoding ${name}, ${size(pixels.width, pixels.height)} pixels`;
    progress.value = 0;
    progress.hidden = false;
    result.hidden = false;
    result.classList.add("busy");
    prepare(pixels, true);
    show(original.canvas, pixels);
    original.caption.textContent = `${size(pixels.width, pixels.height)} pixels`;
    const opened = await codec.encode(pixels, (iteration) => {
      if (turn === chosen) showProgress(iteration);
    });
    if (turn !== chosen) return;
    const smaller =
      pixels.width === from.width ? "" : `, made smaller from ${size(from.width, from.height)}`;
    status.textContent =
      `${name}: ${size(opened.width, opened.height)} pixels${smaller}, ` +
      `encoded in ${seconds(opened.time)}`;
    session = { name, opened, jpeg: new JpegComparison(pixels), view: opened.whole };
    ready(session);
  });
}

async function open(name: string, blob: Blob): Promise<void> {
  await choose(name, async (turn) => {
    const data = new Uint8Array(await blob.arrayBuffer());
    const codec = await start();
    if (turn !== chosen) return;
    status.textContent = `Decoding ${name}`;
    const opened = await codec.ask("open", data, MAX_PIXELS);
    if (turn !== chosen) return;
    status.textContent = `${name}: ${size(opened.width, opened.height)} pixels, decoded in ${seconds(opened.time)}`;
    if (opened.complaint) complain(`${opened.complaint}. Shown is what is there.`);
    result.hidden = false;
    prepare(opened, false);
    session = { name, opened, jpeg: undefined, view: opened.whole };
    ready(session);
  });
}

/** Lays the pictures out for an image, with or without an original. */
function prepare({ width, height }: { width: number; height: number }, compared: boolean): void {
  jpeg.figure.hidden = !compared;
  original.figure.hidden = !compared;
  element("pictures").classList.toggle("alone", !compared);
  for (const { canvas, caption } of [ours, jpeg, original]) {
    canvas.width = width;
    canvas.height = height;
    canvas.classList.toggle("tiny", Math.max(width, height) <= 128);
    caption.textContent = "";
  }
  for (const control of controls()) control.disabled = true;
  element("content").textContent = "";
}

/** Hands the controls over, once all sizes of an image can be shown. */
function ready({ opened, view }: Session): void {
  result.classList.remove("busy");
  const most = opened.whole.data.length;
  for (const input of [bytes, exact]) {
    input.min = String(opened.minBytes);
    input.max = String(most);
    input.value = String(most);
  }
  element("iterations").replaceChildren(
    ...opened.sizes.map((value) => Object.assign(document.createElement("option"), { value })),
  );
  received.value = 0;
  receivedText.textContent = "";
  for (const control of controls()) control.disabled = false;
  display(view);
  void compare();
}

function controls(): (HTMLInputElement | HTMLButtonElement)[] {
  return [bytes, exact, send, element("save"), element("save-png")] as HTMLInputElement[];
}

function showProgress({ iteration, iterations, bytes, picture }: Progress): void {
  progress.max = iterations;
  progress.value = iteration;
  show(ours.canvas, picture);
  ours.caption.textContent = `${count(bytes)} bytes`;
  element("content").textContent = `Iteration ${iteration} of ${iterations}`;
}

/** Shows a picture of the image, and says what is in its bytes. */
function display(view: View): void {
  if (!session) return;
  session.view = view;
  const { width, height } = session.opened;
  const { length } = view.data;
  show(ours.canvas, view.picture);
  ours.caption.textContent = measured(length, view.psnr);
  jpeg.figure.classList.add("stale"); // Until `compare` has found the one of this size.
  const bpp = ((8 * length) / (width * height)).toFixed(3);
  const text = `${contents(view)}, ${bpp} bits per pixel`;
  element("content").textContent = `${text}, shown in ${seconds(view.time)}`;
  bytes.setAttribute("aria-valuetext", `${count(length)} bytes, ${text}`);
}

/** Such as "3 of 8 iterations and 40 % of the next". */
function contents({ wholeIterations, share }: View): string {
  const whole = `${wholeIterations} of ${iterations} iterations`;
  return share > 0 ? `${whole} and ${Math.round(100 * share)} % of the next` : whole;
}

function measured(length: number, psnr: number | undefined): string {
  if (psnr === undefined) return `${count(length)} bytes`;
  return `${count(length)} bytes, ${Number.isFinite(psnr) ? `${psnr.toFixed(1)} dB` : "no loss"}`;
}

function seconds(milliseconds: number): string {
  return milliseconds < 1000
    ? `${Math.round(milliseconds)} ms`
    : `${(milliseconds / 1000).toFixed(1)} s`;
}

/** Runs the latest of what it was asked for, one after the other. */
function latest(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  let again = false;
  return () => {
    again = true;
    running ??= (async () => {
      try {
        while (again) {
          again = false;
          await work();
        }
      } catch (failure) {
        fail(failure);
      } finally {
        running = undefined;
      }
    })();
    return running;
  };
}

/** Shows the size that the slider stands at. */
const fit = latest(async () => {
  const { session: before, client: codec } = { session, client };
  if (!before || !codec) return;
  const view = await codec.ask("fit", before.opened.image, Number(bytes.value));
  if (session !== before) return;
  display(view);
  await compare();
});

/** Shows the JPEG of as many bytes. */
const compare = latest(async () => {
  const before = session;
  if (!before?.jpeg) return;
  const { length } = before.view.data;
  const nearest = await before.jpeg.atMost(length);
  if (session !== before) return;
  show(jpeg.canvas, nearest.picture);
  const tooLarge = nearest.bytes > length ? "; this browser makes none smaller" : "";
  jpeg.caption.textContent = measured(nearest.bytes, nearest.psnr) + tooLarge;
  jpeg.figure.classList.toggle("stale", before.view.data.length !== length);
});

/** Sends the stream at the chosen speed, and shows what has come. */
async function transmit(): Promise<void> {
  const { session: before, client: codec } = { session, client };
  if (!before || !codec) return;
  const own = ++transmissions;
  sending = own;
  send.textContent = "Stop";
  const { data } = before.view;
  const { length } = data;
  const begin = performance.now();
  try {
    for (let come = 0; sending === own && come < length; ) {
      const elapsed = (performance.now() - begin) / 1000;
      come = Math.min(length, Math.floor(elapsed * Number(speed.value)));
      const view = await codec.ask("receive", before.opened.image, data.slice(0, come));
      if (sending !== own) break;
      received.value = come / length;
      if (view) {
        show(ours.canvas, view.picture);
        ours.caption.textContent = measured(come, view.psnr);
      }
      const text = view ? contents(view) : "not enough for a picture yet";
      receivedText.textContent = `${count(come)} of ${count(length)} bytes: ${text}`;
      await new Promise((resolve) => setTimeout(resolve, 60));
    }
  } catch (failure) {
    fail(failure);
  } finally {
    if (sending === own) stopSending();
  }
}

function stopSending(): void {
  sending = 0;
  send.textContent = "Send";
}

function fail(failure: unknown): void {
  const { kind, message } =
    failure instanceof WorkerError
      ? failure
      : { kind: "", message: failure instanceof Error ? failure.message : String(failure) };
  if (kind === "GivenUp") return;
  if (kind === "RuntimeFailure" || kind === "WorkerFailure") stop();
  if (!session) result.hidden = true;
  status.textContent = "";
  if (kind === "TooLargeError") {
    complain(`${message.split(";")[0]}; tfrnnc-decode on a computer takes larger ones`);
  } else {
    complain(message);
  }
}

function complain(message: string): void {
  error.textContent = message.charAt(0).toUpperCase() + message.slice(1);
  error.hidden = false;
}

function take(files: FileList | null | undefined): void {
  const chosenFile = files?.[0];
  if (!chosenFile) return;
  const isStream = chosenFile.name.toLowerCase().endsWith(".rnnc");
  void (isStream ? open : encode)(chosenFile.name, chosenFile);
}

function save(blob: Blob, ending: string): void {
  if (!session) return;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = session.name.replace(/\.[^.]*$/, "") + ending;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

file.addEventListener("change", () => {
  take(file.files);
  file.value = ""; // So that the same file can be chosen again.
});
for (const kind of ["dragover", "dragleave", "drop"] as const) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", kind === "dragover");
    if (kind === "drop") take(event.dataTransfer?.files);
  });
}
document.addEventListener("paste", (event) => take(event.clipboardData?.files));
example.addEventListener("click", () => {
  void fetch(EXAMPLE).then(
    async (response) => encode("chelsea.png", await response.blob()),
    (failure) => fail(failure),
  );
});
bytes.addEventListener("input", () => {
  stopSending();
  exact.value = bytes.value;
  void fit();
});
exact.addEventListener("change", () => {
  stopSending();
  bytes.value = exact.value; // Clips it.
  exact.value = bytes.value;
  void fit();
});
send.addEventListener("click", () => {
  if (sending > 0) stopSending();
  else void transmit();
});
element("save").addEventListener("click", () => {
  if (session) save(new Blob([session.view.data], { type: "application/octet-stream" }), ".rnnc");
});
element("save-png").addEventListener("click", () => {
  toBlob(ours.canvas, "image/png").then((blob) => save(blob, "_decoded.png"), fail);
});
start().then(() => {
  if (chosen === 0) status.textContent = "Ready.";
}, fail);
