// Order of the table of sums. Pure.

import type { Statistic } from '../../api/types';

export type Column = Exclude<keyof Statistic, 'self_min_ns' | 'self_max_ns'>;

export const COLUMNS: readonly Column[] = [
  'group',
  'count',
  'errors',
  'total_ns',
  'avg_ns',
  'min_ns',
  'max_ns',
  'self_total_ns',
  'self_avg_ns',
  'self_share',
];

/** `name` ascends, `-name` descends; what is no column is the time spent itself. */
export function readSort(sort: string): { column: Column; descending: boolean } {
  const column = COLUMNS.find((name) => name === sort.replace(/^-/, ''));
  return column ? { column, descending: sort.startsWith('-') } : { column: 'self_total_ns', descending: true };
}

/** The next order after a click: names from A on, numbers from the largest. */
export function nextSort(sort: string, clicked: Column): string {
  const { column, descending } = readSort(sort);
  if (column === clicked) return descending ? clicked : `-${clicked}`;
  return clicked === 'group' ? clicked : `-${clicked}`;
}

export function sortRows(rows: readonly Statistic[], sort: string): Statistic[] {
  const { column, descending } = readSort(sort);
  const sign = descending ? -1 : 1;
  return [...rows].sort((a, b) => {
    const [x, y] = [a[column] ?? '', b[column] ?? ''];
    return (x < y ? -1 : x > y ? 1 : 0) * sign || compare(a.group ?? '', b.group ?? '');
  });
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
