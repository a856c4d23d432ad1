/** The example that the page opens with: compressed when the page was built, and shown without the model. */

import type { Pixels } from "../codec";
import { readImage } from "./images";

/** What `example.json` says; scripts/make_example.ts writes it. */
export interface ExampleInfo {
  /** Of the photo. */
  readonly name: string;
  /** Of the model that compressed it. */
  readonly modelId: string;
  /** Of the whole stream. */
  readonly iterations: number;
  /** Fewest bytes that show a picture. */
  readonly minBytes: number;
  /** Bytes of the stream after each iteration. */
  readonly sizes: readonly number[];
  /** Iterations in the bytes that are shown at first. */
  readonly wholeIterations: number;
}

export interface Example {
  readonly info: ExampleInfo;
  readonly original: Pixels;
  /** All iterations. */
  readonly whole: Uint8Array<ArrayBuffer>;
  /** What is shown at first, and its picture. */
  readonly start: Uint8Array<ArrayBuffer>;
  readonly picture: Pixels;
}

const FOLDER = "example/";
const PHOTO = `${FOLDER}original.png`;

async function load(url: string): Promise<Response> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url} cannot be loaded (status ${response.status})`);
  return response;
}

/** The photo, as an image file. */
export async function examplePhoto(): Promise<Blob> {
  return (await load(PHOTO)).blob();
}

async function picture(url: string): Promise<Pixels> {
  const blob = await (await load(url)).blob();
  return (await readImage(blob, Number.POSITIVE_INFINITY)).pixels;
}

async function bytes(url: string): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await (await load(url)).arrayBuffer());
}

export async function loadExample(): Promise<Example> {
  const [info, original, whole, start, shown] = await Promise.all([
    load(`${FOLDER}example.json`).then((response) => response.json() as Promise<ExampleInfo>),
    picture(PHOTO),
    bytes(`${FOLDER}whole.rnnc`),
    bytes(`${FOLDER}start.rnnc`),
    picture(`${FOLDER}start.png`),
  ]);
  return { info, original, whole, start, picture: shown };
}
