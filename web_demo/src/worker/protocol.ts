/** What the page and its worker say to each other. */

import type { Pixels } from "../codec";

/** A picture of the image, and the stream that it comes from. */
export interface View {
  readonly picture: Pixels;
  /** The stream. */
  readonly data: Uint8Array<ArrayBuffer>;
  /** By how much the image was reduced before it was encoded, in width and height. */
  readonly downscale: number;
  readonly wholeIterations: number;
  /** How much of the iteration after those is there, from 0 to 1. */
  readonly share: number;
  /** In decibels, against the original; undefined where there is none. */
  readonly psnr?: number | undefined;
  /** Milliseconds that making the picture took; undefined if it was made before. */
  readonly time: number | undefined;
}

/** What is known of an image once it is encoded or opened. */
export interface Opened {
  /** Names the image in later calls. */
  readonly image: number;
  readonly width: number;
  readonly height: number;
  /** Of the whole stream. */
  readonly iterations: number;
  /** Fewest bytes that show a picture. */
  readonly minBytes: number;
  /** Bytes of the stream after each iteration that is whole. */
  readonly sizes: readonly number[];
  readonly whole: View;
  /** Milliseconds that all iterations took. */
  readonly time: number;
  /** What is wrong with a file that can be shown in part. */
  readonly complaint?: string | undefined;
}

/** A picture that is shown while an image is being encoded. */
export interface Progress {
  readonly iteration: number;
  readonly iterations: number;
  readonly bytes: number;
  readonly picture: Pixels;
}

/**
 * What the worker does, one call after the other. Encoding and opening give up the image before:
 * calls that name it fail as `GivenUp`.
 */
export interface Methods {
  /** @param model and `wasm`: URLs of their folders. */
  load(model: string, wasm: string): Promise<void>;
  encode(image: Pixels): Promise<Opened>;
  /** @param original of the stream, if it is at hand. */
  open(data: Uint8Array, maxPixels: number, original?: Pixels): Promise<Opened>;
  /** The image in at most this many bytes. */
  fit(image: number, maxBytes: number): Promise<View>;
  /** What shows when these first bytes of a fitted stream have come; undefined if nothing. */
  receive(image: number, data: Uint8Array): Promise<View | undefined>;
}

export type Method = keyof Methods;

export interface Request {
  readonly id: number;
  readonly method: Method;
  readonly parameters: readonly unknown[];
}

export type Response = { readonly id: number } & (
  | { readonly kind: "progress"; readonly progress: Progress }
  | { readonly kind: "result"; readonly result: unknown }
  | { readonly kind: "error"; readonly name: string; readonly message: string }
);
