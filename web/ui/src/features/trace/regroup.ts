// Brings the children of one missing parent together, so that one ghost row can stand above them. Pure.

import type { Skeleton } from '../../api/types';

/** The skeleton itself where they are neighbours already, else its columns in a new order. */
export function regroup(skeleton: Skeleton, last: Int32Array): Skeleton {
  const neighbours = skeleton.missing.every(({ children }) =>
    children.every((row, index) => index === 0 || row === last[children[index - 1] ?? 0]),
  );
  if (neighbours) return skeleton;
  const order = newOrder(skeleton, last);
  const place = new Int32Array(order.length);
  order.forEach((old, row) => (place[old] = row));
  const moved = (row: number): number => place[row] ?? row;
  const column = <T>(values: readonly T[]): T[] => Array.from(order, (old) => values[old] as T);
  const rows = (list: readonly number[]): number[] => list.map(moved).sort((a, b) => a - b);
  return {
    ...skeleton,
    id: column(skeleton.id),
    parent: column(skeleton.parent).map((row) => (row < 0 ? row : moved(row))),
    depth: column(skeleton.depth),
    start: column(skeleton.start),
    dur: column(skeleton.dur),
    self: column(skeleton.self),
    svc: column(skeleton.svc),
    name: column(skeleton.name),
    kind: column(skeleton.kind),
    status: column(skeleton.status),
    outcome: column(skeleton.outcome),
    orphan: rows(skeleton.orphan),
    roots: rows(skeleton.roots),
    critical_path: skeleton.critical_path.map((section) => ({ ...section, row: moved(section.row) })),
    missing: skeleton.missing.map(({ id, children }) => ({ id, children: rows(children) })),
    error_origins: skeleton.error_origins.map((origin) => ({ ...origin, row: moved(origin.row) })),
  };
}

/** Old rows in their new order: siblings without a parent follow the first of them. */
function newOrder(skeleton: Skeleton, last: Int32Array): Int32Array {
  const siblings = new Map<number, readonly number[]>();
  for (const { children } of skeleton.missing) for (const child of children) siblings.set(child, children);
  const order = new Int32Array(last.length);
  const taken = new Set<number>();
  let count = 0;
  for (let top = 0; top < last.length; top = last[top] ?? last.length) {
    for (const head of siblings.get(top) ?? [top]) {
      if (taken.has(head)) continue;
      taken.add(head);
      for (let row = head; row < (last[head] ?? 0); row += 1) order[count++] = row;
    }
  }
  return order;
}
