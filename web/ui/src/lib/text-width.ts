// How wide a text is, as a multiple of the height of its font.

const PROBE = 100;
const known = new Map<string, number>();
let context: CanvasRenderingContext2D | null = null;

/** Of bold text in the font of the page. */
export function boldWidth(text: string): number {
  const found = known.get(text);
  if (found !== undefined) return found;
  if (!context) {
    context = document.createElement('canvas').getContext('2d');
    if (context) context.font = `600 ${PROBE}px ${getComputedStyle(document.body).fontFamily}`;
  }
  const width = (context?.measureText(text).width ?? text.length * 60) / PROBE;
  known.set(text, width);
  return width;
}
