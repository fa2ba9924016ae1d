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

/** Whether there is any group; stops at the first. */
export function hasRepeats(skeleton: Skeleton): boolean {
  const counts = new Map<number, number>();
  for (let row = 0; row < skeleton.id.length; row += 1) {
    const key = family(skeleton, row);
    const count = (counts.get(key) ?? 0) + 1;
    if (key >= 0 && count >= LEAST_REPEATS) return true;
    counts.set(key, count);
  }
  return false;
}

/** A number for parent, service and operation together; below 0 for rows without a parent. */
function family(skeleton: Skeleton, row: number): number {
  const service = (skeleton.parent[row] ?? -1) * skeleton.services.length + (skeleton.svc[row] ?? 0);
  return (skeleton.parent[row] ?? -1) < 0 ? -1 : service * skeleton.names.length + (skeleton.name[row] ?? 0);
}

/** Groups of siblings with the same service and operation, by their first row. */
export function findRepeats(skeleton: Skeleton): Repeats {
  const rows = skeleton.id.length;
  const headOf = new Int32Array(rows).fill(-1);
  const families = new Map<number, number[]>();
  for (let row = 0; row < rows; row += 1) {
    const key = family(skeleton, row);
    if (key < 0) continue;
    const known = families.get(key);
    if (known) known.push(row);
    else families.set(key, [row]);
  }
  const groups = new Map<number, Repeat>();
  for (const members of families.values()) {
    const head = members[0];
    if (head === undefined || members.length < LEAST_REPEATS) continue;
    for (const row of members) headOf[row] = head;
    groups.set(head, sum(skeleton, head, members));
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
