// The waterfall's model.

import { describe, expect, it } from 'vitest';
import type { Skeleton, Statistic } from '../src/api/types.ts';
import {
  buildModel,
  cycle,
  displayRows,
  findRows,
  inOrder,
  isFolded,
  nextError,
  placeOf,
  REPEAT,
  reveal,
  serviceShares,
  toggle,
  type Folding,
} from '../src/features/trace/model.ts';
import { corrected, judged } from '../src/features/trace/skew.ts';
import { nextSort, sortRows } from '../src/features/trace/statistics.ts';

/** Rows as [parent, service, name, self, failed]. */
function skeleton(rows: [number, string, string, number?, boolean?][], more: Partial<Skeleton> = {}): Skeleton {
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
    orphan: [],
    roots: rows.flatMap((row, index) => (row[0] < 0 ? [index] : [])),
    critical_path: [],
    missing: [],
    error_origins: [],
    last_arrival_ns: '0',
    ...more,
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
    { orphan: [4, 6], missing: [{ id: 'gone', children: [4, 6] }], error_origins: [{ row: 4, blame: 'peer' }] },
  ),
);
const open: Folding = { all: false, toggled: new Set(), repeats: false };

describe('trace model', () => {
  it('knows subtrees, depths and ghosts', () => {
    expect([...model.last]).toEqual([4, 3, 3, 4, 6, 6, 7, 8]);
    expect([...model.depth]).toEqual([0, 1, 2, 1, 1, 2, 1, 0]);
    expect([...model.ghosts]).toEqual([[4, { id: 'gone', children: 2, end: 7 }]]);
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
    const all: Folding = { all: true, toggled: new Set(), repeats: false };
    expect([...displayRows(model, all)]).toEqual([0, 1, 3, ~4, 4, 6, 7]);
    expect(isFolded(model, 3, all)).toBe(false);
    expect([...displayRows(model, reveal(model, 2, all))]).toEqual([0, 1, 2, 3, ~4, 4, 6, 7]);
  });
  it('folds a ghost with all below it, and opens it for what is sought there', () => {
    const folded = toggle(model, ~4, open);
    expect([...displayRows(model, folded)]).toEqual([0, 1, 2, 3, ~4, 7]);
    expect(placeOf(displayRows(model, folded), 5)).toBe(4);
    expect([...displayRows(model, reveal(model, 5, folded))]).toEqual([0, 1, 2, 3, ~4, 4, 5, 6, 7]);
    expect([...displayRows(model, reveal(model, 7, folded))]).toEqual([0, 1, 2, 3, ~4, 7]);
  });
  it('goes to where errors begin before the other errors', () => {
    expect(model.origins.get(4)).toBe('peer');
    expect([nextError(model, 0, false), nextError(model, 4, true), nextError(model, 2, true)]).toEqual([4, 2, 4]);
    // A failed row that the reader came to in another way: to the cause, not to the next symptom.
    expect([nextError(model, 2, false), nextError(model, 4, false)]).toEqual([4, 2]);
  });
  it('finds the place of a row, or of what hides it', () => {
    const rows = displayRows(model, { all: true, toggled: new Set(), repeats: false });
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
  it('handles 50,000 spans and a chain as deep', () => {
    const wide = skeleton(
      Array.from({ length: 50_000 }, (_, index) => [
        index === 0 ? -1 : index - (index % 200) - (index % 200 === 0 ? index : 0),
        'S',
        `n${index % 50}`,
      ]),
    );
    const deep = skeleton(Array.from({ length: 50_000 }, (_, index) => [index - 1, 'S', 'n']));
    for (const large of [wide, deep]) {
      const rows = displayRows(buildModel(large), open);
      expect(rows.length).toBe(50_000);
    }
  }, 60_000);
});

describe('children of missing parents', () => {
  // Two parents are missing; their children interleave, and one has a subtree.
  const mixed = skeleton(
    [
      [-1, 'A', 'a0'],
      [-1, 'B', 'b0'],
      [1, 'B', 'b1', 0, true],
      [-1, 'R', 'root'],
      [-1, 'A', 'a1'],
      [-1, 'B', 'b2'],
    ],
    {
      orphan: [0, 1, 4, 5],
      missing: [
        { id: 'x', children: [0, 4] },
        { id: 'y', children: [1, 5] },
      ],
      error_origins: [{ row: 2, blame: 'span' }],
      critical_path: [{ row: 4, start: 0, end: 1 }],
    },
  );
  it('stand together below one ghost each', () => {
    const tidy = buildModel(inOrder(mixed));
    expect(tidy.skeleton.id).toEqual(['id0', 'id4', 'id1', 'id2', 'id5', 'id3']);
    expect(tidy.skeleton.parent).toEqual([-1, -1, -1, 2, -1, -1]);
    expect([...displayRows(tidy, open)]).toEqual([~0, 0, 1, ~2, 2, 3, 4, 5]);
    expect([...tidy.depth]).toEqual([1, 1, 1, 2, 1, 0]);
    expect(tidy.errorTour).toEqual([3]);
    expect(tidy.skeleton.critical_path[0]?.row).toBe(1);
    expect(tidy.skeleton.orphan).toEqual([0, 1, 2, 4]);
  });
  it('leave a skeleton alone that has them together', () => {
    expect(inOrder(model.skeleton)).toBe(model.skeleton);
  });
});

describe('siblings that repeat', () => {
  // 0 root ─ 1…6 alternate: five `q` (one with a child) and one other between them
  const rows: [number, string, string, number?, boolean?][] = [
    [-1, 'A', 'root'],
    [0, 'A', 'q'],
    [0, 'A', 'q'],
    [2, 'A', 'inner'],
    [0, 'A', 'other'],
    [0, 'A', 'q', 0, true],
    [0, 'A', 'q'],
    [0, 'A', 'q'],
  ];
  const many = buildModel(skeleton(rows));
  const grouped: Folding = { ...open, repeats: true };
  it('are one row with their sum', () => {
    expect([...displayRows(many, open)]).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect([...displayRows(many, grouped)]).toEqual([0, REPEAT + 1, 4]);
    expect(many.hasRepeats).toBe(true);
    expect(many.repeats().groups.get(1)).toMatchObject({ rows: [1, 2, 5, 6, 7], total: 50, errors: 1, start: 0, end: 10 });
  });
  it('open in place, and for what is sought among them or below', () => {
    const all = [0, REPEAT + 1, 1, 2, 3, 4, 5, 6, 7];
    expect([...displayRows(many, toggle(many, REPEAT + 1, grouped))]).toEqual(all);
    expect([...displayRows(many, reveal(many, 3, grouped))]).toEqual(all);
    expect([...displayRows(many, reveal(many, 4, grouped))]).toEqual([0, REPEAT + 1, 4]);
    expect(placeOf(Int32Array.from(all), REPEAT + 1)).toBe(1);
  });
  it('are no group when they are few or of several parents', () => {
    const few = buildModel(skeleton(rows.slice(0, 7)));
    expect([few.hasRepeats, few.repeats().groups.size]).toEqual([false, 0]);
    const apart = skeleton(rows.map((row, index) => (index === 7 ? [4, 'A', 'q'] : row)));
    expect([buildModel(apart).hasRepeats, buildModel(apart).repeats().groups.size]).toEqual([false, 0]);
  });
});

describe('corrected clocks', () => {
  const sent = { ...model.skeleton, t0: '1000', start: [0, 5, 5, 0, 0, 0, 0, 0], critical_path: [{ row: 1, start: 5, end: 9 }] };
  it('move what the server says and nothing else', () => {
    const drawn = corrected(sent, [{ span_id: 'id1', shift_ns: 20 }]);
    expect(drawn?.skeleton.start).toEqual([0, 25, 5, 0, 0, 0, 0, 0]);
    expect(drawn?.skeleton).toMatchObject({ t0: '1000', duration_ns: 35, critical_path: [{ row: 1, start: 25, end: 29 }] });
    expect([drawn?.moved, drawn?.shift[1], drawn?.shift[2]]).toEqual([1, 20, 0]);
    expect(sent.start[1]).toBe(5);
  });
  it('begin the trace where its first span is drawn', () => {
    const drawn = corrected(sent, [{ span_id: 'id0', shift_ns: -7 }]);
    expect(drawn?.skeleton).toMatchObject({ t0: '993', duration_ns: 22 });
    expect(drawn?.skeleton.start.slice(0, 3)).toEqual([0, 12, 12]);
    expect(drawn?.skeleton.critical_path).toEqual([{ row: 1, start: 12, end: 16 }]);
  });
  it('are not there where nothing would move', () => {
    expect(corrected(sent, [])).toBeNull();
    expect(
      corrected(sent, [
        { span_id: 'elsewhere', shift_ns: 9 },
        { span_id: 'id0', shift_ns: 0 },
      ]),
    ).toBeNull();
  });
  it('tell the pairs that differ, the largest first, and count those that contradict themselves', () => {
    const pair = (offset_ns: number | null, low_ns: number, high_ns: number) => ({
      caller: { service: 'a', instance: '1' },
      callee: { service: 'b', instance: '2' },
      low_ns,
      high_ns,
      calls: 20,
      offset_ns,
    });
    const { told, contradicting } = judged([pair(5, 4, 6), pair(null, 3, -3), pair(-90, -99, -80), pair(null, -1, 1)]);
    expect([told.map((one) => one.offset_ns), contradicting]).toEqual([[-90, 5], 1]);
  });
});

describe('table of sums', () => {
  const row = (group: string, self_total_ns: number, errors: number): Statistic => ({
    group,
    count: 1,
    errors,
    total_ns: 0,
    avg_ns: 0,
    min_ns: 0,
    max_ns: 0,
    self_total_ns,
    self_avg_ns: 0,
    self_min_ns: 0,
    self_max_ns: 0,
    self_share: 0,
  });
  const rows = [row('b', 5, 0), row('a', 5, 2), row('c', 9, 1)];
  it('sorts by any column, equal ones by name', () => {
    const order = (sort: string): string =>
      sortRows(rows, sort)
        .map(({ group }) => group)
        .join('');
    expect([order('-self_total_ns'), order('group'), order('-group'), order('-errors'), order('self_total_ns')]).toEqual([
      'cab',
      'abc',
      'cba',
      'acb',
      'abc',
    ]);
    expect(order('no such column')).toBe('cab');
  });
  it('turns a column round on the second click', () => {
    expect([nextSort('-count', 'errors'), nextSort('-errors', 'errors'), nextSort('errors', 'errors'), nextSort('x', 'group')]).toEqual([
      '-errors',
      'errors',
      '-errors',
      'group',
    ]);
  });
});
