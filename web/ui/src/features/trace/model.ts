// The waterfall's model: which rows exist, how deep, and what is folded. Pure, over the columnar skeleton.

import type { Blame, Skeleton } from '../../api/types';
import { assignHues } from '../../lib/color';
import { regroup } from './regroup';
import { findRepeats, hasRepeats, type Repeat, type Repeats } from './repeats';

export interface Section {
  start: number;
  end: number;
}

/** A span that was not received and that others name as their parent. */
export interface Ghost {
  id: string;
  children: number;
  /** One past the last row below it. */
  end: number;
}

export interface TraceModel {
  /** Rows in display order: as sent, but for the children of missing parents, which stand together. */
  skeleton: Skeleton;
  rows: number;
  /** One past the last row of each row's subtree. */
  last: Int32Array;
  /** Depth as drawn: below a ghost everything sits one deeper. */
  depth: Int32Array;
  maxDepth: number;
  /** Row → the ghost that stands before it. */
  ghosts: ReadonlyMap<number, Ghost>;
  orphans: ReadonlySet<number>;
  critical: ReadonlyMap<number, readonly Section[]>;
  rowOf: ReadonlyMap<string, number>;
  /** Hue of each service index. */
  hues: readonly number[];
  errorRows: readonly number[];
  /** Rows where an error begins, and who is to blame. */
  origins: ReadonlyMap<number, Blame>;
  /** Failed rows in the order of the key `e`: where errors begin, then the others. */
  errorTour: readonly number[];
  hasRepeats: boolean;
  /** Found when first asked for: large traces open faster without. */
  repeats: () => Repeats;
  /** What each row was moved by, ns; null where times are as sent. */
  shift: Float64Array | null;
}

export const STATUS_ERROR = 2;

/** Marks the row of a group among displayed rows: that of the group of `head` is `REPEAT + head`. */
export const REPEAT = 2 ** 30;

/** The skeleton in the order that `buildModel` keeps; do it once, before rows are moved in time. */
export function inOrder(skeleton: Skeleton): Skeleton {
  const lone = skeleton.missing.every(({ children }) => children.length === 1);
  return lone ? skeleton : regroup(skeleton, shape(skeleton, skeleton.id.length).last);
}

/** `skeleton` as `inOrder` gives it. */
export function buildModel(skeleton: Skeleton, shift: Float64Array | null = null): TraceModel {
  const rows = skeleton.id.length;
  const { last, depth } = shape(skeleton, rows);
  const ghosts = new Map<number, Ghost>();
  for (const { id, children } of skeleton.missing) {
    const [head, tail] = [children[0], children.at(-1)];
    if (head === undefined || tail === undefined) continue;
    const end = last[tail] ?? tail + 1;
    ghosts.set(head, { id, children: children.length, end });
    for (let below = head; below < end; below += 1) depth[below] = (depth[below] ?? 0) + 1;
  }
  let maxDepth = 0;
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
  let repeats: Repeats | null = null;
  const errorRows = indexesOf(skeleton.status, STATUS_ERROR);
  const origins = new Map(skeleton.error_origins.map(({ row, blame }) => [row, blame]));
  return {
    skeleton,
    rows,
    last,
    depth,
    maxDepth,
    ghosts,
    orphans: new Set(skeleton.orphan),
    critical,
    rowOf,
    hues: skeleton.services.map((name) => hues.get(name) ?? 0),
    errorRows,
    origins,
    errorTour: [...[...origins.keys()].sort((a, b) => a - b), ...errorRows.filter((row) => !origins.has(row))],
    hasRepeats: hasRepeats(skeleton),
    repeats: () => (repeats ??= findRepeats(skeleton)),
    shift,
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
  /** Siblings that repeat are one row. */
  repeats: boolean;
}

/** Whether what a code of `displayRows` stands for hides what is below it. */
export function isFolded(model: TraceModel, code: number, folding: Folding): boolean {
  if (code < 0) return folding.toggled.has(model.ghosts.get(~code)?.id ?? '');
  if (code >= REPEAT) return !folding.toggled.has(repeatKey(model, code - REPEAT));
  if (!hasChildren(model, code)) return false;
  const rule = folding.all && (model.depth[code] ?? 0) >= 1;
  return rule !== folding.toggled.has(model.skeleton.id[code] ?? '');
}

/** The group that a row belongs to, where groups are shown as one row. */
export function repeatOf(model: TraceModel, row: number, folding: Folding): Repeat | undefined {
  return folding.repeats ? model.repeats().groups.get(model.repeats().headOf[row] ?? -1) : undefined;
}

function repeatKey(model: TraceModel, head: number): string {
  return `~${model.skeleton.id[head] ?? ''}`;
}

/** Rows on display, in order: a row number, `~row` for the ghost before that row, `REPEAT + row` for the group that begins there. */
export function displayRows(model: TraceModel, folding: Folding): Int32Array {
  const out = new Int32Array(model.rows + model.ghosts.size + (folding.repeats ? model.repeats().groups.size : 0));
  let count = 0;
  for (let row = 0; row < model.rows;) {
    const ghost = model.ghosts.get(row);
    if (ghost) {
      out[count++] = ~row;
      if (isFolded(model, ~row, folding)) {
        row = ghost.end;
        continue;
      }
    }
    const group = repeatOf(model, row, folding);
    if (group) {
      if (group.head === row) out[count++] = REPEAT + row;
      if (isFolded(model, REPEAT + group.head, folding)) {
        row = model.last[row] ?? row + 1;
        continue;
      }
    }
    out[count++] = row;
    row = isFolded(model, row, folding) ? (model.last[row] ?? row + 1) : row + 1;
  }
  return out.subarray(0, count);
}

/** The row that a code of `displayRows` is about. */
export function rowOfCode(code: number): number {
  return code < 0 ? ~code : code >= REPEAT ? code - REPEAT : code;
}

/** Place of a row, ghost or group among the displayed; of what stands before it where it is folded away. */
export function placeOf(display: Int32Array, code: number): number {
  const wanted = sortKey(code);
  let low = 0;
  let high = display.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (sortKey(display[middle] ?? 0) <= wanted) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Ghosts and groups sort just before the row they belong to, the ghost first. */
function sortKey(code: number): number {
  return rowOfCode(code) - (code < 0 ? 0.5 : code >= REPEAT ? 0.25 : 0);
}

/** The folding under which `row` is on display: opens what hides it. */
export function reveal(model: TraceModel, row: number, folding: Folding): Folding {
  const toggled = new Set(folding.toggled);
  const next = { ...folding, toggled };
  let top = row;
  for (let at = row; at >= 0; at = model.skeleton.parent[at] ?? -1) {
    const group = repeatOf(model, at, next);
    if (group && isFolded(model, REPEAT + group.head, next)) toggled.add(repeatKey(model, group.head));
    if (at !== row && isFolded(model, at, next)) flip(toggled, model.skeleton.id[at] ?? '');
    top = at;
  }
  for (const [head, ghost] of model.ghosts) if (head <= top && top < ghost.end) toggled.delete(ghost.id);
  return next;
}

/** Folds or opens what a code of `displayRows` stands for. */
export function toggle(model: TraceModel, code: number, folding: Folding): Folding {
  if (code < 0) return flipped(folding, model.ghosts.get(~code)?.id ?? '');
  if (code >= REPEAT) return flipped(folding, repeatKey(model, code - REPEAT));
  return flipped(folding, model.skeleton.id[code] ?? '');
}

function flipped(folding: Folding, name: string): Folding {
  const toggled = new Set(folding.toggled);
  flip(toggled, name);
  return { ...folding, toggled };
}

function flip(set: Set<string>, id: string): void {
  if (!set.delete(id)) set.add(id);
}

/** The failed row after this one on the tour; where an error begins first, for who was not on the tour yet. */
export function nextError(model: TraceModel, from: number, touring: boolean): number | null {
  const at = touring || model.origins.has(from) ? model.errorTour.indexOf(from) : -1;
  return model.errorTour[at + 1] ?? model.errorTour[0] ?? null;
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
