/**
 * Keeps the page for use without a network: its own files from the first visit on, the model and LiteRT
 * once they were loaded. Its own files come from the network where there is one, so that a new
 * version is seen at once; the others lie in folders that are named after their content.
 */

import { FOLDERS } from "./folders";

/** The page's own files, relative to it. The build defines them. */
declare const PAGE_FILES: readonly string[];

interface ExtendableEvent extends Event {
  waitUntil(work: Promise<unknown>): void;
}

interface FetchEvent extends ExtendableEvent {
  readonly request: Request;
  respondWith(response: Promise<Response>): void;
}

/** What of a service worker's globals this needs; TypeScript cannot have them beside the DOM's. */
interface ServiceWorker {
  readonly registration: { readonly scope: string };
  readonly clients: { claim(): Promise<void> };
  skipWaiting(): Promise<void>;
  addEventListener(kind: "install" | "activate", hear: (event: ExtendableEvent) => void): void;
  addEventListener(kind: "fetch", hear: (event: FetchEvent) => void): void;
}

const worker = self as unknown as ServiceWorker;
const { scope } = worker.registration;
const at = (path: string) => new URL(path, scope).href;
const page = new Set(PAGE_FILES.map(at));
const folders = Object.values(FOLDERS).map(at);
const inFolders = (url: string) => folders.some((folder) => url.startsWith(folder));
// An origin may have several pages; each has a cache of its own.
const opened = () => caches.open(`tfrnnc ${scope}`);

async function install(): Promise<void> {
  const cache = await opened();
  await cache.addAll([...page].map((url) => new Request(url, { cache: "no-cache" })));
  await worker.skipWaiting();
}

async function activate(): Promise<void> {
  const cache = await opened();
  for (const { url } of await cache.keys()) {
    if (!page.has(url) && !inFolders(url)) await cache.delete(url);
  }
  await worker.clients.claim();
}

/** Keeps a response; without room for it the page works as before. */
async function keep(url: string, response: Response): Promise<void> {
  try {
    await (await opened()).put(url, response);
  } catch (error) {
    console.debug(`${url} is not kept for use offline: ${error}`);
  }
}

/** @param url of the file, without a query. */
async function fromNetwork(event: FetchEvent, url: string): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(event.request);
  } catch (error) {
    const kept = await (await opened()).match(url);
    if (kept) return kept;
    throw error;
  }
  if (response.ok) event.waitUntil(keep(url, response.clone()));
  return response;
}

async function fromCache(event: FetchEvent, url: string): Promise<Response> {
  return (await (await opened()).match(url)) ?? fromNetwork(event, url);
}

worker.addEventListener("install", (event) => event.waitUntil(install()));
worker.addEventListener("activate", (event) => event.waitUntil(activate()));
worker.addEventListener("fetch", (event) => {
  const url = event.request.url.split(/[?#]/, 1)[0];
  if (event.request.method !== "GET") return;
  if (inFolders(url)) event.respondWith(fromCache(event, url));
  else if (page.has(url)) event.respondWith(fromNetwork(event, url));
});
