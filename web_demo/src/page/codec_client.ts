/** The page's end of the worker. */

import type { Pixels } from "../codec";
import type { Method, Methods, Progress, Request, Response } from "../worker/protocol";

/** What went wrong in the worker. */
export class WorkerError extends Error {
  constructor(
    readonly kind: string,
    message: string,
  ) {
    super(message);
  }
}

interface Call {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: WorkerError) => void;
  readonly onProgress: ((progress: Progress) => void) | undefined;
}

/** Asks the worker, which answers one request after the other. */
export class CodecClient {
  private readonly worker: Worker;
  private readonly calls = new Map<number, Call>();
  private count = 0;

  /** @param url of the worker's script. */
  constructor(url: string) {
    this.worker = new Worker(url);
    this.worker.addEventListener("message", ({ data }: MessageEvent<Response>) => {
      const call = this.calls.get(data.id);
      if (data.kind === "progress") {
        call?.onProgress?.(data.progress);
        return;
      }
      this.calls.delete(data.id);
      if (data.kind === "result") call?.resolve(data.result);
      else call?.reject(new WorkerError(data.name, data.message));
    });
    this.worker.addEventListener("error", (event) => {
      this.fail(`the codec's worker failed: ${event.message || "its script cannot be loaded"}`);
    });
  }

  /** Has the worker do something. */
  ask<Name extends Method>(
    method: Name,
    ...parameters: Parameters<Methods[Name]>
  ): ReturnType<Methods[Name]> {
    return this.call(method, parameters);
  }

  /** Has the worker encode an image, and is told each iteration of it. */
  encode(image: Pixels, onProgress: (progress: Progress) => void): ReturnType<Methods["encode"]> {
    return this.call("encode", [image], onProgress);
  }

  /** Ends the worker; what it was asked fails. */
  end(): void {
    this.worker.terminate();
    this.fail("the codec was stopped");
  }

  private call<Name extends Method>(
    method: Name,
    parameters: Parameters<Methods[Name]>,
    onProgress?: (progress: Progress) => void,
  ): ReturnType<Methods[Name]> {
    const request: Request = { id: ++this.count, method, parameters };
    return new Promise<unknown>((resolve, reject) => {
      this.calls.set(request.id, { resolve, reject, onProgress });
      this.worker.postMessage(request);
    }) as ReturnType<Methods[Name]>;
  }

  private fail(message: string): void {
    for (const { reject } of this.calls.values()) reject(new WorkerError("WorkerFailure", message));
    this.calls.clear();
  }
}
