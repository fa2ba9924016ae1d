// The waterfall's model: which rows exist, how deep, and what is folded. Pure, over the columnar skeleton.

import type { Skeleton } from '../../api/types';
import { assignHues } from '../../lib/color';

export interface Section {
  start: number;
  end: number;
}

export interface TraceModel {
  skeleton: Skeleton;
  rows: number;
  /** One past the last row of each row's subtree. */
  last: Int32Array;
  /** Depth as drawn: below a ghost everything sits one deeper. */
  depth: Int32Array;
  maxDepth: number;
  /** Row → number of neighbouring orphans whose missing parents share one ghost row before it. */
  ghosts: ReadonlyMap<number, number>;
  orphans: ReadonlySet<number>;
  critical: ReadonlyMap<number, readonly Section[]>;
  rowOf: ReadonlyMap<string, number>;
  /** Hue of each service index. */
  hues: readonly number[];
  errorRows: readonly number[];
}

export const STATUS_ERROR = 2;

export function buildModel(skeleton: Skeleton): TraceModel {
  const rows = skeleton.id.length;
  const { last, depth } = shape(skeleton, rows);
  const orphans = new Set(skeleton.orphan);
  const ghosts = ghostRows(rows, last, orphans);
  let maxDepth = 0;
  for (const row of orphans) for (let below = row; below < (last[row] ?? row); below += 1) depth[below] = (depth[below] ?? 0) + 1;
  for (const value of depth) maxDepth = Math.max(maxDepth, value);
  const hues = assignHues(skeleton.services);
  const critical = new Map<number, Section[]>();
  for (const { row, start, end } of skeleton.critical_path) {
    const sections = critical.get(row);
    if (sections) sections.push({ start, end });
    else critical.set(row, [{ start, end }]);
  }
  const rowOf = new Map<string, number>();
  // An id that was used twice leads to its first row.
  for (let row = rows - 1; row >= 0; row -= 1) rowOf.set(skeleton.id[row] ?? '', row);
  return {
    skeleton,
    rows,
    last,
    depth,
    maxDepth,
    ghosts,
    orphans,
    critical,
    rowOf,
    hues: skeleton.services.map((name) => hues.get(name) ?? 0),
    errorRows: indexesOf(skeleton.status, STATUS_ERROR),
  };
}

/** Ends of subtrees and depths, from the parents alone; rows are depth first, so a parent comes before its children. */
function shape(skeleton: Skeleton, rows: number): { last: Int32Array; depth: Int32Array } {
  const last = new Int32Array(rows);
  const depth = new Int32Array(rows);
  for (let row = 0; row < rows; row += 1) {
    const parent = skeleton.parent[row] ?? -1;
    depth[row] = parent < 0 ? 0 : (depth[parent] ?? 0) + 1;
    last[row] = row + 1;
  }
  for (let row = rows - 1; row >= 0; row -= 1) {
    const parent = skeleton.parent[row] ?? -1;
    if (parent >= 0) last[parent] = Math.max(last[parent] ?? 0, last[row] ?? 0);
  }
  return { last, depth };
}

function ghostRows(rows: number, last: Int32Array, orphans: ReadonlySet<number>): Map<number, number> {
  const ghosts = new Map<number, number>();
  let group = -1;
  for (let row = 0; row < rows; row = last[row] ?? rows) {
    if (!orphans.has(row)) group = -1;
    else {
      if (group < 0) group = row;
      ghosts.set(group, (ghosts.get(group) ?? 0) + 1);
    }
  }
  return ghosts;
}

function indexesOf(values: readonly number[], wanted: number): number[] {
  const found: number[] = [];
  values.forEach((value, index) => {
    if (value === wanted) found.push(index);
  });
  return found;
}

export function hasChildren(model: TraceModel, row: number): boolean {
  return (model.last[row] ?? 0) > row + 1;
}

/** `all` folds every parent below the first level; `toggled` names the spans that differ from that rule. */
export interface Folding {
  all: boolean;
  toggled: ReadonlySet<string>;
}

export function isFolded(model: TraceModel, row: number, folding: Folding): boolean {
  if (!hasChildren(model, row)) return false;
  const rule = folding.all && (model.depth[row] ?? 0) >= 1;
  return rule !== folding.toggled.has(model.skeleton.id[row] ?? '');
}

/** Rows on display, in order: a row number, or `~row` for the ghost before that row. */
export function displayRows(model: TraceModel, folding: Folding): Int32Array {
  const out = new Int32Array(model.rows + model.ghosts.size);
  let count = 0;
  for (let row = 0; row < model.rows;) {
    if (model.ghosts.has(row)) out[count++] = ~row;
    out[count++] = row;
    row = isFolded(model, row, folding) ? (model.last[row] ?? row + 1) : row + 1;
  }
  return out.subarray(0, count);
}

/** Place of a row among the displayed rows; of its nearest displayed ancestor where it is folded away. */
export function placeOf(display: Int32Array, row: number): number {
  let low = 0;
  let high = display.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    const code = display[middle] ?? 0;
    // A ghost sorts just before the row it belongs to.
    if ((code < 0 ? ~code - 0.5 : code) <= row) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** The folding under which `row` is on display: opens its folded ancestors. */
export function reveal(model: TraceModel, row: number, folding: Folding): Folding {
  const toggled = new Set(folding.toggled);
  for (let at = model.skeleton.parent[row] ?? -1; at >= 0; at = model.skeleton.parent[at] ?? -1) {
    if (isFolded(model, at, { all: folding.all, toggled })) flip(toggled, model.skeleton.id[at] ?? '');
  }
  return { all: folding.all, toggled };
}

export function toggle(model: TraceModel, row: number, folding: Folding): Folding {
  const toggled = new Set(folding.toggled);
  flip(toggled, model.skeleton.id[row] ?? '');
  return { all: folding.all, toggled };
}

function flip(set: Set<string>, id: string): void {
  if (!set.delete(id)) set.add(id);
}

/** Rows whose service, operation, outcome or id holds the text, without regard to case. */
export function findRows(model: TraceModel, text: string): number[] {
  const needle = text.trim().toLowerCase();
  if (needle === '') return [];
  const { skeleton } = model;
  const holds = (table: readonly string[]): boolean[] => table.map((entry) => entry.toLowerCase().includes(needle));
  const [services, names, outcomes] = [holds(skeleton.services), holds(skeleton.names), holds(skeleton.outcomes)];
  const found: number[] = [];
  for (let row = 0; row < model.rows; row += 1) {
    const hit = services[skeleton.svc[row] ?? -1] || names[skeleton.name[row] ?? -1] || outcomes[skeleton.outcome[row] ?? -1];
    if (hit || skeleton.id[row]?.includes(needle)) found.push(row);
  }
  return found;
}

/** The entry of an ascending list after `from` (before it for step −1), around the end. */
export function cycle(list: readonly number[], from: number, step: 1 | -1): number | null {
  if (list.length === 0) return null;
  if (step === 1) return list.find((row) => row > from) ?? list[0] ?? null;
  return list.findLast((row) => row < from) ?? list.at(-1) ?? null;
}

export interface ServiceShare {
  service: string;
  hue: number;
  spans: number;
  errors: number;
  /** Share of the summed self time, 0..1. */
  share: number;
  self: number;
}

/** Services by their self time, largest first. */
export function serviceShares(model: TraceModel): ServiceShare[] {
  const { skeleton } = model;
  const shares = skeleton.services.map((service, index) => ({
    service,
    hue: model.hues[index] ?? 0,
    spans: 0,
    errors: 0,
    share: 0,
    self: 0,
  }));
  let total = 0;
  for (let row = 0; row < model.rows; row += 1) {
    const share = shares[skeleton.svc[row] ?? -1];
    if (!share) continue;
    share.spans += 1;
    share.self += skeleton.self[row] ?? 0;
    if (skeleton.status[row] === STATUS_ERROR) share.errors += 1;
    total += skeleton.self[row] ?? 0;
  }
  for (const share of shares) share.share = total === 0 ? 0 : share.self / total;
  return shares.sort((a, b) => b.self - a.self || (a.service < b.service ? -1 : 1));
}
