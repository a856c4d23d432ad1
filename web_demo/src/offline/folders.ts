/** Where the build has put the large files, relative to the page. */

declare const MODEL_FOLDER: string;
declare const WASM_FOLDER: string;

/** Folders that are named after their content, so that what is kept of them is never old. */
export const FOLDERS = { model: MODEL_FOLDER, wasm: WASM_FOLDER } as const;
