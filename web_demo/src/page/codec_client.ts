/** The page's end of the worker. */

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
}

/** Asks the worker, which answers one request after the other. */
export class CodecClient {
  private readonly worker: Worker;
  private readonly calls = new Map<number, Call>();
  private count = 0;

  /**
   * @param url of the worker's script.
   * @param onProgress is told each step of an image that is being encoded.
   */
  constructor(url: string, onProgress: (progress: Progress) => void) {
    this.worker = new Worker(url);
    this.worker.addEventListener("message", ({ data }: MessageEvent<Response>) => {
      if (data.kind === "progress") {
        onProgress(data.progress);
        return;
      }
      const call = this.calls.get(data.id);
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
    const request: Request = { id: ++this.count, method, parameters };
    return new Promise<unknown>((resolve, reject) => {
      this.calls.set(request.id, { resolve, reject });
      this.worker.postMessage(request);
    }) as ReturnType<Methods[Name]>;
  }

  /** Ends the worker; what it was asked fails. */
  end(): void {
    this.worker.terminate();
    this.fail("the codec was stopped");
  }

  private fail(message: string): void {
    for (const { reject } of this.calls.values()) reject(new WorkerError("WorkerFailure", message));
    this.calls.clear();
  }
}
