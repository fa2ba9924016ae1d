// Arithmetic of charts over equal steps of time: paths with gaps, stacks and round scales.

export type Values = readonly (number | null)[];

/** The least round number (1, 2, 2.5, 5 × 10ⁿ) that is no less than the value. */
export function roundUp(value: number): number {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const factor = [1, 2, 2.5, 5, 10].find((candidate) => candidate * power >= value * 0.9999) ?? 10;
  return factor * power;
}

export function highest(series: readonly Values[]): number {
  let most = 0;
  for (const values of series) for (const value of values) if (value !== null && value > most) most = value;
  return most;
}

/** A line through the middles of its steps; null breaks it, and a step that stands alone becomes a short dash. */
export function linePath(values: Values, x: (index: number) => number, y: (value: number) => number): string {
  let path = '';
  for (let at = 0; at < values.length; at += 1) {
    const value = values[at];
    if (value === null || value === undefined) continue;
    const joined = at > 0 && values[at - 1] !== null && values[at - 1] !== undefined;
    const alone = !joined && (values[at + 1] === null || values[at + 1] === undefined);
    const [px, py] = [round(x(at + 0.5)), round(y(value))];
    path += alone ? `M${px - 1.5} ${py}h3` : `${joined ? 'L' : 'M'}${px} ${py}`;
  }
  return path;
}

/** For each series the lower and upper bound of every step; the first series lies on the axis. */
export function stack(series: readonly Values[]): { low: number; high: number }[][] {
  const base: number[] = [];
  return series.map((values) =>
    values.map((value, at) => {
      const low = base[at] ?? 0;
      const high = low + (value ?? 0);
      base[at] = high;
      return { low, high };
    }),
  );
}

export function sums(series: readonly Values[]): number[] {
  const length = Math.max(0, ...series.map((values) => values.length));
  return Array.from({ length }, (_, at) => series.reduce((sum, values) => sum + (values[at] ?? 0), 0));
}

/** Adds neighbours up until at most `most` steps are left: a month of minutes is more than there are pixels. */
export function coarser(values: Values, by: number, join: 'sum' | 'max'): (number | null)[] {
  if (by <= 1) return [...values];
  const out: (number | null)[] = [];
  for (let at = 0; at < values.length; at += by) {
    const part = values.slice(at, at + by).filter((value) => value !== null);
    out.push(part.length === 0 ? null : join === 'sum' ? part.reduce((a, b) => a + b, 0) : Math.max(...part));
  }
  return out;
}

const round = (value: number): number => Math.round(value * 10) / 10;
