/** The example page: the same photo in as many bytes by four codecs, and previews in a list. */

import "../src/element.js";
import { previewDataURL } from "../src/index.js";
import { weights } from "../src/weights.js";
import content from "./pictures.json";

type Codec = "tfrnnc" | "blurhash" | "thumbhash" | "webp";

/** What a codec has at one size; null where it has nothing. */
interface Entry {
  readonly bytes: number;
  /** The string, or of WebP the pixels of the file. */
  readonly text: string;
  readonly psnr: number;
  /** The picture's URL; null where the page decodes the string. */
  readonly image: string | null;
}

interface Photo {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  /** Bytes of the smallest WebP of 32 pixels on the longer side. */
  readonly smallest_webp: number;
  readonly codecs: Readonly<Record<Codec, readonly (Entry | null)[]>>;
}

const NAMES: Record<Codec, string> = {
  tfrnnc: "tfrnnc",
  blurhash: "BlurHash",
  thumbhash: "ThumbHash",
  webp: "WebP",
};
const LIST_BYTES = 24;
const photos: readonly Photo[] = content.pictures;
const slider = find<HTMLInputElement>("#size");
const figures = new Map<Codec, HTMLElement>();
let chosen = photos[0];

function find<T extends HTMLElement>(selector: string): T {
  const found = document.querySelector<T>(selector);
  if (!found) throw new Error(`the page has no ${selector}`);
  return found;
}

function create<K extends keyof HTMLElementTagNameMap>(
  name: K,
  properties: Partial<HTMLElementTagNameMap[K]> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

function imageOf(codec: Codec, { text, image }: Entry): HTMLImageElement {
  return create("img", {
    src: image ?? previewDataURL(text, weights),
    alt: `${chosen.name} by ${NAMES[codec]}`,
  });
}

function captionOf(codec: Codec, entry: Entry): (Node | string)[] {
  const { bytes, text, psnr } = entry;
  const size = codec === "webp" ? text : `${text.length} characters`;
  const caption = [
    create("b", {}, NAMES[codec]),
    ` ${bytes} bytes, ${size}, ${psnr.toFixed(1)} dB`,
  ];
  return codec === "webp" ? caption : [...caption, create("code", {}, text)];
}

/** Shows the chosen photo in the chosen size. */
function show(): void {
  const index = Number(slider.value);
  const size = content.sizes[index];
  const words = `${size} bytes`;
  find("#bytes").textContent = words;
  slider.setAttribute("aria-valuetext", words);
  for (const [codec, figure] of figures) {
    const entry = chosen.codecs[codec][index];
    const box = create("div", { className: entry ? "picture" : "picture none" });
    box.style.aspectRatio = `${chosen.width / chosen.height}`;
    box.append(entry ? imageOf(codec, entry) : `None has ${words} or fewer`);
    const caption = entry ? captionOf(codec, entry) : [create("b", {}, NAMES[codec])];
    figure.replaceChildren(box, create("figcaption", {}, ...caption));
  }
  const original = create("img", { src: `${chosen.name}.png`, alt: `${chosen.name}, the photo` });
  const box = create("div", { className: "picture original" }, original);
  box.style.aspectRatio = `${chosen.width / chosen.height}`;
  find("#original").replaceChildren(box, create("figcaption", {}, create("b", {}, "The photo")));
  find("#webp-note").textContent =
    `WebP of 32 pixels takes at least ${chosen.smallest_webp} bytes for this photo; in ` +
    "fewer it has room for fewer pixels, or for none.";
}

function choices(): HTMLElement[] {
  return photos.map((photo) => {
    const input = create("input", { type: "radio", name: "photo", checked: photo === chosen });
    input.addEventListener("change", () => {
      chosen = photo;
      show();
    });
    return create("label", {}, input, photo.name);
  });
}

/** The element around an image that has no source yet. */
function listed(photo: Photo): HTMLElement {
  const image = create("img", { alt: photo.name, width: photo.width, height: photo.height });
  const element = create("tfrnnc-preview" as "span", {}, image);
  element.setAttribute("text", photo.codecs.tfrnnc[content.sizes.indexOf(LIST_BYTES)]?.text ?? "");
  return element;
}

for (const codec of Object.keys(NAMES) as Codec[]) {
  const figure = create("figure", { id: codec });
  figures.set(codec, figure);
  find("#pictures").append(figure);
}
find("#pictures").append(create("figure", { id: "original" }));
find("#photos").append(...choices());
find("#elements").append(...photos.map(listed));
find("#load").addEventListener("click", () => {
  for (const image of document.querySelectorAll<HTMLImageElement>("#elements img")) {
    image.src = `${image.alt}.png`;
  }
});
slider.addEventListener("input", show);
show();
