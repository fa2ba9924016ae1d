// Offsets of list rows: most share one height, the open ones were measured.

export interface Offsets {
  /** Top of each row, and the total height as the last entry. */
  at: Float64Array;
  total: number;
}

export function offsets(keys: readonly string[], rowHeight: number, measured: ReadonlyMap<string, number>): Offsets {
  const at = new Float64Array(keys.length + 1);
  let top = 0;
  keys.forEach((key, index) => {
    at[index] = top;
    top += measured.get(key) ?? rowHeight;
  });
  at[keys.length] = top;
  return { at, total: top };
}
