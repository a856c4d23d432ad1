/** The page. */

import { type Pixels, psnr, readHeader } from "../codec";
import { FOLDERS } from "../offline/folders";
import type { Opened, Progress, View } from "../worker/protocol";
import { CodecClient, WorkerError } from "./codec_client";
import { examplePhoto, loadExample } from "./example";
import { readImage, show, toBlob } from "./images";
import { JpegComparison } from "./jpeg";
import { keepForOffline } from "./offline";
import { SplitView } from "./split_view";

/** Pixels of the largest image that is shown, here or in a file that is opened. */
const MAX_PIXELS = 2 ** 22;

const element = <Kind extends HTMLElement>(id: string) => document.getElementById(id) as Kind;
const drop = element("drop");
const file = element<HTMLInputElement>("file");
const side = element<HTMLSelectElement>("side");
const status = element("status");
const progress = element<HTMLProgressElement>("progress");
const error = element("error");
const result = element("result");
const after = element("after");
const stage = element("stage");
const bytes = element<HTMLInputElement>("bytes");
const exact = element<HTMLInputElement>("exact");
const speed = element<HTMLSelectElement>("speed");
const send = element<HTMLButtonElement>("send");
const received = element<HTMLProgressElement>("received");
const receivedText = element("received-text");
const [zoomOut, zoomIn] = [
  element<HTMLButtonElement>("zoom-out"),
  element<HTMLButtonElement>("zoom-in"),
];
const leftChoices = [...document.querySelectorAll<HTMLInputElement>("#compare input")];
const [ours, jpeg, original] = (
  [
    ["ours", "tfrnnc"],
    ["jpeg", "JPEG"],
    ["original", "Original"],
  ] as const
).map(([id, name]) => {
  const line = element(`${id}-caption`);
  const caption = line.querySelector("span") as HTMLElement;
  return { name, canvas: element<HTMLCanvasElement>(id), line, caption };
});
const split = new SplitView(stage, element("viewport"), element("frame"), element("split"));

/** The image at hand. */
interface Session {
  readonly name: string;
  readonly opened: Omit<Opened, "image" | "time" | "complaint">;
  readonly original: Pixels | undefined;
  readonly jpeg: JpegComparison | undefined;
  /** What is shown, and saved. */
  view: View;
  /** Where the image is; undefined if the worker has not got it yet. */
  held: { readonly codec: CodecClient; readonly image: Promise<number> } | undefined;
}

let session: Session | undefined;
let client: CodecClient | undefined;
let starting: Promise<CodecClient> | undefined;
let chosen = 0; // Counts the images, so that late answers are known.
let sending = 0; // The transmission that goes on; 0 if none does.
let transmissions = 0; // Counts them, so that one that was stopped does not go on with the next.

const offline = keepForOffline();
const count = (value: number) => value.toLocaleString("en");
const size = ({ width, height }: { width: number; height: number }) => `${width} × ${height}`;
const LOADING = "Loading the model, once";

/** Starts the worker and loads the model when it is first needed; again after the worker has failed. */
function start(): Promise<CodecClient> {
  starting ??= (async () => {
    await offline;
    const started = new CodecClient("worker.js");
    client = started;
    const at = (path: string) => new URL(path, location.href).href;
    await started.ask("load", at(FOLDERS.model), at(FOLDERS.wasm));
    return started;
  })();
  starting.catch(stop);
  return starting;
}

/** Ends a worker that cannot be trusted any more; what is asked next gets another. */
function stop(): void {
  const failed = client;
  client = undefined;
  starting = undefined;
  failed?.end();
}

/** The worker and its name of the image, which it is given if it has not got it. */
async function held(from: Session): Promise<{ codec: CodecClient; image: number }> {
  const codec = await start();
  if (from.held?.codec !== codec) {
    const opening = codec.ask("open", from.opened.whole.data, MAX_PIXELS, from.original);
    const image = opening.then((opened) => opened.image);
    from.held = { codec, image };
    image.catch(() => {
      from.held = undefined;
    });
  }
  return { codec, image: await from.held.image };
}

/** Does something for a new image; what fails is said plainly, and the old image is gone. */
async function choose(name: string, work: (turn: number) => Promise<void>): Promise<void> {
  const turn = ++chosen;
  stopSending();
  session = undefined;
  hideResult(true);
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

async function encode(name: string, image: Blob | Promise<Blob>): Promise<void> {
  await choose(name, async (turn) => {
    const { pixels, from } = await readImage(await image, Number(side.value));
    if (turn === chosen && !client) status.textContent = LOADING;
    const codec = await start();
    if (turn !== chosen) return;
    status.textContent = `Encoding ${name}, ${size(pixels)} pixels`;
    progress.value = 0;
    progress.hidden = false;
    hideResult(false);
    prepare(pixels, pixels);
    const opened = await codec.encode(pixels, (iteration) => {
      if (turn === chosen) showProgress(iteration);
    });
    if (turn !== chosen) return;
    const smaller = pixels.width === from.width ? "" : `, made smaller from ${size(from)}`;
    status.textContent = `${name}: ${size(opened)} pixels${smaller}, encoded in ${seconds(opened.time)}`;
    ready(sessionOf(name, opened, codec, pixels));
  });
}

async function open(name: string, blob: Blob): Promise<void> {
  await choose(name, async (turn) => {
    const data = new Uint8Array(await blob.arrayBuffer());
    if (turn === chosen && !client) status.textContent = LOADING;
    const codec = await start();
    if (turn !== chosen) return;
    status.textContent = `Decoding ${name}`;
    const opened = await codec.ask("open", data, MAX_PIXELS);
    if (turn !== chosen) return;
    status.textContent = `${name}: ${size(opened)} pixels, decoded in ${seconds(opened.time)}`;
    if (opened.complaint) complain(`${opened.complaint}. Shown is what is there.`);
    hideResult(false);
    prepare(opened, undefined);
    ready(sessionOf(name, opened, codec, undefined));
  });
}

function sessionOf(
  name: string,
  opened: Opened,
  codec: CodecClient,
  original: Pixels | undefined,
): Session {
  const image = Promise.resolve(opened.image);
  const comparison = original && new JpegComparison(original);
  const { whole: view } = opened;
  return { name, opened, original, jpeg: comparison, view, held: { codec, image } };
}

/** Shows the example as the page brings it, without the model. */
async function showExample(): Promise<void> {
  const { info, original: photo, whole, start: first, picture } = await loadExample();
  element("about").textContent = `Model ${info.modelId}, ${info.iterations} iterations.`;
  if (chosen > 0) return;
  const { width, height } = photo;
  const { wholeIterations, iterations } = info;
  const { downscale } = readHeader(first).header;
  const quality = psnr(photo, picture);
  const shown = { picture, data: first, downscale, wholeIterations, share: 0, psnr: quality };
  const view = { ...shown, time: undefined };
  const all = { ...view, data: whole, wholeIterations: iterations };
  hideResult(false);
  prepare(photo, photo);
  ready({
    name: info.name,
    opened: { ...info, width, height, whole: all },
    original: photo,
    jpeg: new JpegComparison(photo),
    view,
    held: undefined,
  });
  status.textContent = `${info.name}: ${size(photo)} pixels, compressed when this page was made`;
}

function hideResult(hidden: boolean): void {
  result.hidden = hidden;
  after.hidden = hidden;
}

/** Lays the pictures out for an image, with or without an original. */
function prepare(shape: { width: number; height: number }, photo: Pixels | undefined): void {
  for (const { canvas, caption } of [ours, jpeg, original]) {
    canvas.width = shape.width;
    canvas.height = shape.height;
    caption.textContent = "";
  }
  split.start(shape.width, shape.height);
  if (photo) {
    show(original.canvas, photo);
    original.caption.textContent = `${size(photo)} pixels`;
  }
  for (const control of controls()) control.disabled = true;
  element("content").textContent = "";
  layOut(photo ? original : undefined);
}

/** Puts a picture, or none, on the left of the border. */
function layOut(left: typeof ours | undefined): void {
  split.show({ left, right: ours });
  jpeg.line.hidden = left !== jpeg;
  original.line.hidden = left !== original;
  element("compare").hidden = !left;
}

/** The picture that is to be on the left. */
function leftChoice(): typeof ours | undefined {
  if (!session?.original) return undefined;
  return leftChoices.some(({ value, checked }) => checked && value === "original")
    ? original
    : jpeg;
}

/** Hands the controls over, once all sizes of an image can be shown. */
function ready(next: Session): void {
  session = next;
  const { opened, view } = next;
  const most = opened.whole.data.length;
  for (const input of [bytes, exact]) {
    input.min = String(opened.minBytes);
    input.max = String(most);
    input.value = String(view.data.length);
  }
  element("iterations").replaceChildren(
    ...opened.sizes.map((value) => Object.assign(document.createElement("option"), { value })),
  );
  received.value = 0;
  receivedText.textContent = "";
  for (const control of controls()) control.disabled = false;
  layOut(leftChoice());
  display(view);
  void compare();
}

function controls(): (HTMLInputElement | HTMLButtonElement)[] {
  const buttons = [send, element("save"), element("save-png")] as HTMLButtonElement[];
  return [bytes, exact, ...leftChoices, ...buttons];
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
  const { width, height, iterations } = session.opened;
  const { length } = view.data;
  show(ours.canvas, view.picture);
  ours.caption.textContent = measured(length, view.psnr);
  staleJpeg(true); // Until `compare` has found the one of this size.
  const bpp = ((8 * length) / (width * height)).toFixed(3);
  const text = `${contents(view, iterations)}, ${bpp} bits per pixel`;
  const took = view.time === undefined ? "" : `, shown in ${seconds(view.time)}`;
  element("content").textContent = text + took;
  bytes.setAttribute("aria-valuetext", `${count(length)} bytes, ${text}`);
}

function staleJpeg(stale: boolean): void {
  for (const part of [jpeg.canvas, jpeg.line]) part.classList.toggle("stale", stale);
}

/** Such as "3 of 8 iterations and 40 % of the next at half the resolution". */
function contents({ downscale, wholeIterations, share }: View, iterations: number): string {
  const whole = `${wholeIterations} of ${iterations} iterations`;
  const all = share > 0 ? `${whole} and ${Math.round(100 * share)} % of the next` : whole;
  return downscale > 1 ? `${all} at half the resolution` : all;
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
  const before = session;
  if (!before) return;
  const said = status.textContent;
  if (!client) status.textContent = LOADING;
  const { codec, image } = await held(before);
  if (status.textContent === LOADING) {
    status.textContent = said;
    error.hidden = true; // Such as that of an attempt without a network.
  }
  const view = await codec.ask("fit", image, Number(bytes.value));
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
  staleJpeg(before.view.data.length !== length);
});

/** Sends the stream at the chosen speed, and shows what has come. */
async function transmit(): Promise<void> {
  const before = session;
  if (!before) return;
  const own = ++transmissions;
  sending = own;
  send.textContent = "Stop";
  const { data } = before.view;
  const { length } = data;
  try {
    const { codec, image } = await held(before);
    const begin = performance.now();
    for (let come = 0; sending === own && come < length; ) {
      const elapsed = (performance.now() - begin) / 1000;
      come = Math.min(length, Math.floor(elapsed * Number(speed.value)));
      const view = await codec.ask("receive", image, data.slice(0, come));
      if (sending !== own) break;
      received.value = come / length;
      if (view) {
        show(ours.canvas, view.picture);
        ours.caption.textContent = measured(come, view.psnr);
      }
      const text = view ? contents(view, before.opened.iterations) : "not enough for a picture yet";
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
  if (session) bytes.value = exact.value = String(session.view.data.length);
  else hideResult(true);
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
element("example").addEventListener("click", () => void encode("example.png", examplePhoto()));
for (const choice of leftChoices) choice.addEventListener("change", () => layOut(leftChoice()));
zoomIn.addEventListener("click", () => split.zoomIn());
zoomOut.addEventListener("click", () => split.zoomOut());
stage.addEventListener("zoom", () => {
  element("zoom").textContent = `${split.zoom}×`;
  zoomIn.disabled = !split.canZoomIn;
  zoomOut.disabled = !split.canZoomOut;
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
showExample().catch((failure) => {
  if (chosen === 0) fail(failure);
});
