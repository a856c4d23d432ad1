/** Two pictures of one image in one frame, parted by a border that is dragged; they zoom together. */

/** How much larger than the frame that the page has for them. */
const ZOOMS = [1, 2, 4, 8];
/** From this many pixels of the page for one of the image, these are shown as squares. */
const SQUARES = 3;
/** How far the arrow keys move the border, in percent, and the page keys. */
const STEP = 2;
const LEAP = 10;

/** What is on either side of the border. */
export interface Sides {
  /** Undefined for none: the right one is shown whole. */
  readonly left: { readonly canvas: HTMLCanvasElement; readonly name: string } | undefined;
  readonly right: { readonly canvas: HTMLCanvasElement; readonly name: string };
}

/** Lays canvases of one size over each other. */
export class SplitView {
  /** Of the width of what is seen, in percent. */
  private border = 50;
  private level = 0;
  private sides: Sides | undefined;
  /** Width of the image in its own pixels. */
  private width = 1;

  /**
   * @param stage around all of it.
   * @param viewport scrolls the frame.
   * @param frame holds the canvases, which fill it.
   * @param handle the border.
   */
  constructor(
    private readonly stage: HTMLElement,
    private readonly viewport: HTMLElement,
    private readonly frame: HTMLElement,
    private readonly handle: HTMLElement,
  ) {
    viewport.tabIndex = 0; // So that the keyboard scrolls and zooms it.
    viewport.addEventListener("scroll", () => this.update());
    new ResizeObserver(() => this.update()).observe(viewport);
    handle.addEventListener("pointerdown", (event) => {
      handle.setPointerCapture(event.pointerId);
      handle.focus();
      event.preventDefault(); // So that no text is selected.
    });
    handle.addEventListener("pointermove", (event) => {
      if (handle.hasPointerCapture(event.pointerId)) this.moveTo(event.clientX);
    });
    handle.addEventListener("keydown", (event) => this.moveByKey(event));
    viewport.addEventListener("keydown", (event) => this.zoomByKey(event));
    this.panByMouse();
  }

  /** Shows an image of this size from the beginning, not enlarged. */
  start(width: number, height: number): void {
    this.width = width;
    this.stage.style.setProperty("--ratio", String(width / height));
    this.setLevel(0);
  }

  show(sides: Sides): void {
    const all = this.frame.querySelectorAll("canvas");
    for (const canvas of all) {
      canvas.hidden = canvas !== sides.left?.canvas && canvas !== sides.right.canvas;
    }
    this.sides = sides;
    this.handle.hidden = !sides.left;
    this.update();
  }

  get zoom(): number {
    return ZOOMS[this.level];
  }

  get canZoomIn(): boolean {
    return this.level < ZOOMS.length - 1;
  }

  get canZoomOut(): boolean {
    return this.level > 0;
  }

  zoomIn(): void {
    this.setLevel(this.level + 1);
  }

  zoomOut(): void {
    this.setLevel(this.level - 1);
  }

  /** Enlarges what is in the middle. */
  private setLevel(level: number): void {
    this.level = Math.min(Math.max(level, 0), ZOOMS.length - 1);
    const { viewport, frame } = this;
    const middle = (offset: number, seen: number, whole: number) =>
      whole > 0 ? (offset + seen / 2) / whole : 0.5;
    const x = middle(viewport.scrollLeft, viewport.clientWidth, frame.clientWidth);
    const y = middle(viewport.scrollTop, viewport.clientHeight, frame.clientHeight);
    frame.style.width = `${100 * this.zoom}%`;
    frame.style.height = `${100 * this.zoom}%`;
    viewport.scrollLeft = x * frame.clientWidth - viewport.clientWidth / 2;
    viewport.scrollTop = y * frame.clientHeight - viewport.clientHeight / 2;
    this.update();
    this.stage.dispatchEvent(new Event("zoom"));
  }

  private setBorder(percent: number): void {
    this.border = Math.min(Math.max(percent, 0), 100);
    this.update();
  }

  private moveTo(clientX: number): void {
    const { left, width } = this.viewport.getBoundingClientRect();
    this.setBorder((100 * (clientX - left)) / width);
  }

  private moveByKey(event: KeyboardEvent): void {
    const moves: Record<string, number> = {
      ArrowLeft: this.border - STEP,
      ArrowDown: this.border - STEP,
      ArrowRight: this.border + STEP,
      ArrowUp: this.border + STEP,
      PageDown: this.border - LEAP,
      PageUp: this.border + LEAP,
      Home: 0,
      End: 100,
    };
    if (!(event.key in moves)) return;
    event.preventDefault(); // Of the page's scrolling.
    this.setBorder(moves[event.key]);
  }

  private zoomByKey({ key, ctrlKey, metaKey }: KeyboardEvent): void {
    if (ctrlKey || metaKey) return; // The browser's own zoom.
    if (key === "+" || key === "=") this.zoomIn();
    else if (key === "-") this.zoomOut();
    else if (key === "0") this.setLevel(0);
  }

  /** What is enlarged can be dragged by the mouse; a finger scrolls it as anything else. */
  private panByMouse(): void {
    const { viewport } = this;
    let before = { x: 0, y: 0 };
    viewport.addEventListener("pointerdown", ({ pointerId, pointerType, button, x, y }) => {
      if (pointerType !== "mouse" || button !== 0) return;
      viewport.setPointerCapture(pointerId);
      before = { x, y };
    });
    viewport.addEventListener("pointermove", ({ pointerId, x, y }) => {
      if (!viewport.hasPointerCapture(pointerId)) return;
      viewport.scrollBy(before.x - x, before.y - y);
      before = { x, y };
    });
  }

  private update(): void {
    const { viewport, frame, handle, sides, border } = this;
    if (!sides) return;
    const whole = frame.clientWidth || 1;
    const cut = (100 * (viewport.scrollLeft + (border / 100) * viewport.clientWidth)) / whole;
    sides.right.canvas.style.clipPath = sides.left ? `inset(0 0 0 ${cut}%)` : "none";
    handle.style.left = `${border}%`;
    handle.ariaValueNow = String(Math.round(border));
    const { left, right } = sides;
    handle.ariaValueText = left
      ? `${left.name} on ${Math.round(border)} % of the width, ${right.name} on the rest`
      : "";
    frame.classList.toggle("squares", whole / this.width >= SQUARES);
  }
}
