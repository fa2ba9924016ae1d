// The waterfall's model.

import { describe, expect, it } from 'vitest';
import type { Skeleton } from '../src/api/types.ts';
import {
  buildModel,
  cycle,
  displayRows,
  findRows,
  isFolded,
  placeOf,
  reveal,
  serviceShares,
  toggle,
  type Folding,
} from '../src/features/trace/model.ts';

/** Rows as [parent, service, name, self, failed]. */
function skeleton(rows: [number, string, string, number?, boolean?][], orphan: number[] = []): Skeleton {
  const services = [...new Set(rows.map((row) => row[1]))];
  const names = [...new Set(rows.map((row) => row[2]))];
  return {
    trace_id: 'ab',
    t0: '0',
    duration_ns: 100,
    services,
    names,
    id: rows.map((_, index) => `id${index}`),
    parent: rows.map((row) => row[0]),
    depth: rows.map(() => 0),
    start: rows.map(() => 0),
    dur: rows.map(() => 10),
    self: rows.map((row) => row[3] ?? 0),
    svc: rows.map((row) => services.indexOf(row[1])),
    name: rows.map((row) => names.indexOf(row[2])),
    kind: rows.map(() => 1),
    status: rows.map((row) => (row[4] ? 2 : 0)),
    outcome: rows.map(() => 0),
    outcomes: ['ok'],
    orphan,
    roots: rows.flatMap((row, index) => (row[0] < 0 ? [index] : [])),
    critical_path: [],
  };
}

//  0 a ─ 1 b ─ 2 c
//      └ 3 d
//  (missing) ─ 4 e ─ 5 f,  6 g;  7 h is a second root
const model = buildModel(
  skeleton(
    [
      [-1, 'A', 'a', 5],
      [0, 'B', 'b', 20],
      [1, 'B', 'c', 5, true],
      [0, 'A', 'd', 10],
      [-1, 'C', 'e', 0, true],
      [4, 'C', 'f'],
      [-1, 'C', 'g'],
      [-1, 'A', 'h'],
    ],
    [4, 6],
  ),
);
const open: Folding = { all: false, toggled: new Set() };

describe('trace model', () => {
  it('knows subtrees, depths and ghosts', () => {
    expect([...model.last]).toEqual([4, 3, 3, 4, 6, 6, 7, 8]);
    expect([...model.depth]).toEqual([0, 1, 2, 1, 1, 2, 1, 0]);
    expect([...model.ghosts]).toEqual([[4, 2]]);
    expect(model.maxDepth).toBe(2);
    expect(model.errorRows).toEqual([2, 4]);
  });
  it('displays everything, ghosts before their orphans', () => {
    expect([...displayRows(model, open)]).toEqual([0, 1, 2, 3, ~4, 4, 5, 6, 7]);
  });
  it('folds, opens and reveals', () => {
    const folded = toggle(model, 1, open);
    expect([...displayRows(model, folded)]).toEqual([0, 1, 3, ~4, 4, 5, 6, 7]);
    expect(displayRows(model, toggle(model, 1, folded))).toEqual(displayRows(model, open));
    const all: Folding = { all: true, toggled: new Set() };
    expect([...displayRows(model, all)]).toEqual([0, 1, 3, ~4, 4, 6, 7]);
    expect(isFolded(model, 3, all)).toBe(false);
    expect([...displayRows(model, reveal(model, 2, all))]).toEqual([0, 1, 2, 3, ~4, 4, 6, 7]);
  });
  it('finds the place of a row, or of what hides it', () => {
    const rows = displayRows(model, { all: true, toggled: new Set() });
    expect([0, 1, 2, 3, 4, 5, 6, 7].map((row) => placeOf(rows, row))).toEqual([0, 1, 1, 2, 4, 4, 5, 6]);
  });
  it('searches names, services and ids, and walks round', () => {
    expect(findRows(model, ' B ')).toEqual([1, 2]);
    expect(findRows(model, 'ID7')).toEqual([7]);
    expect(findRows(model, '')).toEqual([]);
    expect([cycle([2, 5], 2, 1), cycle([2, 5], 5, 1), cycle([2, 5], 2, -1), cycle([], 0, 1)]).toEqual([5, 2, 5, null]);
  });
  it('shares self time out', () => {
    expect(serviceShares(model).map((share) => [share.service, share.share, share.spans, share.errors])).toEqual([
      ['B', 0.625, 2, 1],
      ['A', 0.375, 3, 0],
      ['C', 0, 3, 1],
    ]);
  });
  it('handles 50,000 spans and a chain as deep within the budget', () => {
    const wide = skeleton(
      Array.from({ length: 50_000 }, (_, index) => [
        index === 0 ? -1 : index - (index % 200) - (index % 200 === 0 ? index : 0),
        'S',
        `n${index % 50}`,
      ]),
    );
    const deep = skeleton(Array.from({ length: 50_000 }, (_, index) => [index - 1, 'S', 'n']));
    for (const large of [wide, deep]) {
      const began = performance.now();
      const rows = displayRows(buildModel(large), open);
      expect(rows.length).toBe(50_000);
      // The budget is 150 ms; three times that on a busy machine.
      expect(performance.now() - began).toBeLessThan(450);
    }
  });
});
