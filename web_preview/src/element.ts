/**
 * The element `<tfrnnc-preview text="...">` around an `<img>`: shows the preview, blurred, in the
 * image's place until that has loaded, and then fades it out.
 */

import { decodePreview, previewColor } from "./index.js";
import { weights } from "./weights.js";

const FADE_MS = 300;
// The blur is of one of the preview's pixels, whatever the size that it is shown in.
const STYLE = `
:host { display: inline-block; position: relative }
::slotted(img) { display: block }
div { position: absolute; inset: 0; overflow: hidden; container-type: size; pointer-events: none }
canvas { display: block; width: 100%; height: 100%; filter: blur(1.6cqmax); scale: 1.04 }
`;
const SHEET = new CSSStyleSheet(); // Of all elements of a page.
SHEET.replaceSync(STYLE);

export class TfrnncPreview extends HTMLElement {
  static readonly observedAttributes = ["text"];
  readonly #layer = document.createElement("div");

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [SHEET];
    this.#layer.ariaHidden = "true";
    root.append(document.createElement("slot"));
    // These events do not bubble: they are met on their way down.
    this.addEventListener("load", () => this.#fadeOut(), true);
    this.addEventListener("error", () => this.#layer.remove(), true);
  }

  /** @throws StreamError if the text is no preview; the page goes on, and the console shows it. */
  attributeChangedCallback(_: string, before: string | null, text: string | null): void {
    for (const fade of this.#layer.getAnimations()) fade.cancel();
    this.#layer.remove();
    const image = this.querySelector("img");
    // A page that uses the element anew gives it another text while the former image is there.
    if (text === null || (before === null && image?.complete && image.naturalWidth > 0)) return;
    const { width, height, rgba } = decodePreview(text, weights);
    const canvas = document.createElement("canvas");
    canvas.width = width;
    canvas.height = height;
    canvas.getContext("2d")?.putImageData(new ImageData(rgba, width, height), 0, 0);
    this.#layer.replaceChildren(canvas);
    this.#layer.style.background = `rgb(${previewColor(text)})`;
    this.shadowRoot?.append(this.#layer);
  }

  #fadeOut(): void {
    const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.#layer.animate({ opacity: [1, 0] }, isStill ? 0 : FADE_MS).onfinish = () => {
      this.#layer.remove();
    };
  }
}

customElements.define("tfrnnc-preview", TfrnncPreview);
