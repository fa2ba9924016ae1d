// Siblings that repeat: many calls of one operation under one parent, which one row can stand for. Pure.

import type { Skeleton } from '../../api/types';

/** Fewer are easier read one by one. */
export const LEAST_REPEATS = 5;

export interface Repeat {
  /** Its first span: the row that stands for all. */
  head: number;
  rows: readonly number[];
  /** Summed durations, ns. */
  total: number;
  errors: number;
  start: number;
  end: number;
}

export interface Repeats {
  groups: ReadonlyMap<number, Repeat>;
  /** Head of each row's group, or -1. */
  headOf: Int32Array;
}

/** Groups of siblings with the same service and operation, by their first row. */
export function findRepeats(skeleton: Skeleton): Repeats {
  const rows = skeleton.id.length;
  const headOf = new Int32Array(rows).fill(-1);
  const [services, names] = [skeleton.services.length, skeleton.names.length];
  const families = new Map<number, number[]>();
  for (let row = 0; row < rows; row += 1) {
    const parent = skeleton.parent[row] ?? -1;
    if (parent < 0) continue;
    const key = (parent * services + (skeleton.svc[row] ?? 0)) * names + (skeleton.name[row] ?? 0);
    const family = families.get(key);
    if (family) family.push(row);
    else families.set(key, [row]);
  }
  const groups = new Map<number, Repeat>();
  for (const family of families.values()) {
    const head = family[0];
    if (head === undefined || family.length < LEAST_REPEATS) continue;
    for (const row of family) headOf[row] = head;
    groups.set(head, sum(skeleton, head, family));
  }
  return { groups, headOf };
}

function sum(skeleton: Skeleton, head: number, rows: readonly number[]): Repeat {
  const group = { head, rows, total: 0, errors: 0, start: Infinity, end: 0 };
  for (const row of rows) {
    const [start, length] = [skeleton.start[row] ?? 0, skeleton.dur[row] ?? 0];
    group.total += length;
    group.start = Math.min(group.start, start);
    group.end = Math.max(group.end, start + length);
    if (skeleton.status[row] === 2) group.errors += 1;
  }
  return group;
}
