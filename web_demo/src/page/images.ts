/** Image files to pixels, and pixels to canvases. Pixels are sRGB, as the codec takes them. */

import { fromRgba, ImageError, type Pixels, toRgba } from "../codec";

const SRGB = { colorSpace: "srgb" } as const;

/**
 * Reads an image file. Its orientation is applied, its colours are converted from its ICC profile
 * to sRGB, what is transparent shows white, and it is made smaller if a side is longer than
 * `longestSide`.
 * @throws ImageError if the browser cannot read it.
 */
export async function readImage(
  file: Blob,
  longestSide: number,
): Promise<{ pixels: Pixels; from: { width: number; height: number } }> {
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(file, {
      imageOrientation: "from-image",
      colorSpaceConversion: "default",
    });
  } catch {
    throw new ImageError(
      "this browser cannot read the file as an image; try a JPEG, PNG or WebP, or a .rnnc file",
    );
  }
  const { width, height } = bitmap;
  const scale = Math.min(1, longestSide / Math.max(width, height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const context = context2d(canvas);
  context.fillStyle = "white";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  const pixels = fromRgba(context.getImageData(0, 0, canvas.width, canvas.height, SRGB));
  return { pixels, from: { width, height } };
}

/** Shows a picture on a canvas. */
export function show(canvas: HTMLCanvasElement, picture: Pixels): void {
  if (canvas.width !== picture.width || canvas.height !== picture.height) {
    canvas.width = picture.width;
    canvas.height = picture.height;
  }
  const image = new ImageData(toRgba(picture), picture.width, picture.height, SRGB);
  context2d(canvas).putImageData(image, 0, 0);
}

/** A picture as a file that the browser writes, such as image/jpeg with a quality from 0 to 1. */
export function toBlob(canvas: HTMLCanvasElement, type: string, quality?: number): Promise<Blob> {
  return new Promise((resolve, reject) => {
    canvas.toBlob(
      (blob) => (blob ? resolve(blob) : reject(new ImageError(`no ${type} could be written`))),
      type,
      quality,
    );
  });
}

function context2d(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const context = canvas.getContext("2d", { willReadFrequently: true, ...SRGB });
  if (!context)
    throw new ImageError("this browser has no memory for the image; take a smaller one");
  return context;
}
