// What clocks that agree would have told: spans moved by the server's shifts. Pure; what was sent stays known.

import type { ClockOffset, Skeleton, TraceSkew } from '../../api/types';

export interface Corrected {
  skeleton: Skeleton;
  /** What each row was moved by, ns. */
  shift: Float64Array;
  /** Of them, those that moved. */
  moved: number;
}

/** The skeleton with its spans in their place; null where nothing would move. */
export function corrected(skeleton: Skeleton, shifts: TraceSkew['shifts']): Corrected | null {
  const byId = new Map(shifts.map(({ span_id, shift_ns }) => [span_id, shift_ns]));
  const shift = Float64Array.from(skeleton.id, (id) => byId.get(id) ?? 0);
  const moved = shift.reduce((count, by) => count + (by === 0 ? 0 : 1), 0);
  if (moved === 0) return null;
  let [first, last] = [Infinity, -Infinity];
  const start = skeleton.start.map((at, row) => {
    const place = at + (shift[row] ?? 0);
    first = Math.min(first, place);
    last = Math.max(last, place + (skeleton.dur[row] ?? 0));
    return place;
  });
  const path = skeleton.critical_path.map((section) => {
    const by = (shift[section.row] ?? 0) - first;
    return { row: section.row, start: section.start + by, end: section.end + by };
  });
  return {
    skeleton: {
      ...skeleton,
      t0: String(BigInt(skeleton.t0) + BigInt(Math.round(first))),
      duration_ns: last - first,
      start: start.map((at) => at - first),
      critical_path: path,
    },
    shift,
    moved,
  };
}

/** Pairs whose clocks are known to differ, largest difference first; and how many pairs contradict themselves. */
export function judged(offsets: readonly ClockOffset[]): { told: (ClockOffset & { offset_ns: number })[]; contradicting: number } {
  const told = offsets.filter((pair): pair is ClockOffset & { offset_ns: number } => pair.offset_ns !== null && pair.offset_ns !== 0);
  return {
    told: told.sort((a, b) => Math.abs(b.offset_ns) - Math.abs(a.offset_ns)),
    contradicting: offsets.filter((pair) => pair.low_ns > pair.high_ns).length,
  };
}
