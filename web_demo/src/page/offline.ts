/** The page without a network. */

/** Milliseconds after which the page goes on without; it takes a fraction of a second. */
const PATIENCE = 5000;

/**
 * Has the browser keep the page, and what it loads from now on.
 * @returns when it does, or will not: old browsers, private windows and addresses without TLS have no
 *   service workers, and the page needs none.
 */
export async function keepForOffline(): Promise<void> {
  if (!("serviceWorker" in navigator)) return;
  try {
    await navigator.serviceWorker.register("service_worker.js");
    const patience = new Promise((resolve) => setTimeout(resolve, PATIENCE));
    await Promise.race([navigator.serviceWorker.ready, patience]);
  } catch (error) {
    console.debug(`the page is not kept for use offline: ${error}`);
  }
}
