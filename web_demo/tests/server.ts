/** The page's own server, whose script has no types. */

import type { Server } from "node:http";

export async function serve(port: number, folder?: string): Promise<Server> {
  const path = `${process.cwd()}/scripts/serve.mjs`;
  return (await import(path)).serve(port, folder);
}
