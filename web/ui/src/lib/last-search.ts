// Where a list page stood, so that the way back from a detail leads to the same place.

const last = new Map<string, string>();

export function rememberSearch(path: string, search: string): void {
  last.set(path, search);
}

/** `/traces?q=…` as it was last seen, or the bare path. */
export function backTo(path: string): string {
  return path + (last.get(path) ?? '');
}
