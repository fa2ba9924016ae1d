// Scales and windows: arithmetic of axes and virtual lists, without any drawing.

export interface Scale {
  (value: number): number;
  invert(pixel: number): number;
}

export function linear(domain: readonly [number, number], pixels: readonly [number, number]): Scale {
  const [d0, d1] = domain;
  const [p0, p1] = pixels;
  const ratio = d1 === d0 ? 0 : (p1 - p0) / (d1 - d0);
  const scale = (value: number): number => p0 + (value - d0) * ratio;
  return Object.assign(scale, { invert: (pixel: number) => (ratio === 0 ? d0 : d0 + (pixel - p0) / ratio) });
}

/** Logarithmic; values below the domain sit at its start. */
export function log(domain: readonly [number, number], pixels: readonly [number, number]): Scale {
  const start = Math.max(domain[0], Number.MIN_VALUE);
  const inner = linear([Math.log(start), Math.log(Math.max(domain[1], start * 1.0001))], pixels);
  const scale = (value: number): number => inner(Math.log(Math.max(value, start)));
  return Object.assign(scale, { invert: (pixel: number) => Math.exp(inner.invert(pixel)) });
}

/** Powers of ten inside the domain; with `1 2 5` between them when there are fewer than three. */
export function logTicks(from: number, to: number): number[] {
  const tens = powers(from, to, [1]);
  return tens.length >= 3 ? tens : powers(from, to, [1, 2, 5]);
}

function powers(from: number, to: number, mantissas: number[]): number[] {
  const ticks: number[] = [];
  for (let exponent = Math.floor(Math.log10(Math.max(from, 1))); exponent <= Math.ceil(Math.log10(Math.max(to, 1))); exponent += 1) {
    for (const mantissa of mantissas) {
      const value = mantissa * 10 ** exponent;
      if (value >= from && value <= to) ticks.push(value);
    }
  }
  return ticks;
}

/** Round steps over [from, to], about `target` of them. */
export function linearTicks(from: number, to: number, target: number): number[] {
  const raw = (to - from) / Math.max(1, target);
  if (!(raw > 0)) return [from];
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = ([1, 2, 5, 10].find((factor) => factor * power >= raw) ?? 10) * power;
  const ticks: number[] = [];
  for (let index = Math.ceil(from / step); index * step <= to; index += 1) ticks.push(index * step);
  return ticks;
}

export interface Window {
  /** First row to draw. */
  start: number;
  /** One past the last row. */
  end: number;
}

/** Rows of a fixed height that a viewport shows, plus `overscan` on both sides. */
export function fixedWindow(count: number, rowHeight: number, scrollTop: number, viewport: number, overscan: number): Window {
  const first = Math.floor(scrollTop / rowHeight) - overscan;
  const last = Math.ceil((scrollTop + viewport) / rowHeight) + overscan;
  return { start: Math.max(0, Math.min(first, count)), end: Math.max(0, Math.min(last, count)) };
}

/** Index of the last offset ≤ position, in ascending offsets that begin with 0. */
export function indexAt(offsets: ArrayLike<number>, position: number): number {
  let low = 0;
  let high = offsets.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((offsets[middle] ?? 0) <= position) low = middle;
    else high = middle - 1;
  }
  return low;
}

export function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
