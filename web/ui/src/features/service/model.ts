// One service's figures over time, cut so that a chart can show them.

import type { InstanceLife, OperationFigures, Release, ServiceDetail } from '../../api/governance';
import type { Exemplar } from '../../api/types';
import { toMs, type Range } from '../../lib/time';
import type { Dot, Marker } from '../../viz/TimeSeries';
import { coarser } from '../../viz/timeseries';

/** A server that is older or newer may leave parts out; the page shows those that are there. */
export function complete(answer: Partial<ServiceDetail> & Pick<ServiceDetail, 'service' | 'series' | 'step_ns'>): ServiceDetail {
  return {
    operations: [],
    upstream: [],
    downstream: [],
    instances: [],
    releases: [],
    exceptions: [],
    log_patterns: [],
    ...answer,
  };
}

const STEPS_MIN = [1, 2, 5, 10, 15, 30, 60, 120, 360, 720, 1440];
const MOST_STEPS = 240;

/** Whole minutes between two points of the series, so that a chart has at most 240 of them. */
export function stepMinutes(range: Range): number {
  const minutes = Number((range.to - range.from) / 60_000_000_000n);
  return STEPS_MIN.find((step) => minutes / step <= MOST_STEPS) ?? Math.ceil(minutes / MOST_STEPS / 1440) * 1440;
}

export interface Charts {
  /** ms since the epoch. */
  from: number;
  /** ms */
  step: number;
  steps: number;
  /** Calls per second. */
  rate: (number | null)[];
  errorShare: (number | null)[];
  p50: (number | null)[];
  p95: (number | null)[];
  p99: (number | null)[];
  calls: number[];
  errors: number[];
  outcomes: { name: string; values: number[] }[];
  instances: number[];
  releases: { version: string; values: number[] }[];
}

export function charts(detail: ServiceDetail): Charts {
  const { series, step_ns: stepNs } = detail;
  const seconds = stepNs / 1e9;
  return {
    from: toMs(series.from_ns),
    step: stepNs / 1e6,
    steps: series.calls.length,
    rate: series.calls.map((calls) => calls / seconds),
    errorShare: series.calls.map((calls, at) => (calls === 0 ? null : (series.errors[at] ?? 0) / calls)),
    p50: series.p50_ns,
    p95: series.p95_ns,
    p99: series.p99_ns,
    calls: series.calls,
    errors: series.errors,
    outcomes: Object.entries(series.outcomes ?? {})
      .map(([name, values]) => ({ name, values, sum: values.reduce((a, b) => a + b, 0) }))
      .filter(({ sum }) => sum > 0)
      .sort((a, b) => b.sum - a.sum),
    instances: series.instances ?? [],
    releases: byAppearance(detail.releases).map(({ version, series: values }) => ({ version, values })),
  };
}

export function byAppearance<T extends { first_ns: string }>(items: readonly T[]): T[] {
  return [...items].sort((a, b) => toMs(a.first_ns) - toMs(b.first_ns));
}

/** Releases that began inside of the window; what ran from its first step on began at some time before. */
export function markers(releases: readonly Release[], from: number, step: number): Marker[] {
  return byAppearance(releases)
    .filter((release) => toMs(release.first_ns) >= from + step && (release.series[0] ?? 0) === 0)
    .map((release) => ({ at: toMs(release.first_ns), label: release.version }));
}

/** Example traces that say when they were; slow ones stand at their duration. */
export function timedExemplars(operations: readonly OperationFigures[]): (Exemplar & { operation: string })[] {
  return operations.flatMap((operation) =>
    operation.exemplars.filter((exemplar) => exemplar.time_ns).map((exemplar) => ({ ...exemplar, operation: operation.name })),
  );
}

export function inWindow(dots: readonly Dot[], from: number, to: number): Dot[] {
  return dots.filter((dot) => dot.at >= from && dot.at < to);
}

/** Strength of each step of a strip, 0..1 of the busiest step among all strips; at most `most` steps. */
export function strips(instances: readonly InstanceLife[], most: number): { instance: InstanceLife; cells: number[] }[] {
  const steps = Math.max(1, ...instances.map((item) => item.series.length));
  const by = Math.ceil(steps / most);
  const cut = byAppearance(instances).map((instance) => ({
    instance,
    cells: coarser(instance.series, by, 'sum').map((value) => value ?? 0),
  }));
  const peak = Math.max(1, ...cut.flatMap(({ cells }) => cells));
  return cut.map(({ instance, cells }) => ({ instance, cells: cells.map((value) => value / peak) }));
}

/** Runs of steps in which an instance was there: `[first, last]`, so that a gap can be seen as a gap. */
export function presence(cells: readonly number[]): [number, number][] {
  const runs: [number, number][] = [];
  cells.forEach((value, at) => {
    if (value <= 0) return;
    const last = runs.at(-1);
    if (last && last[1] === at - 1) last[1] = at;
    else runs.push([at, at]);
  });
  return runs;
}

type OperationColumn = 'name' | 'calls' | 'error_ratio' | 'p50' | 'p95' | 'p99';

export function operationsInOrder(operations: readonly OperationFigures[], sort: string): OperationFigures[] {
  const column = sort.replace(/^-/, '') as OperationColumn;
  const sign = sort.startsWith('-') ? -1 : 1;
  const value = (operation: OperationFigures): number | string => {
    switch (column) {
      case 'name':
        return operation.name;
      case 'error_ratio':
        return operation.calls === 0 ? 0 : operation.errors / operation.calls;
      case 'p50':
      case 'p95':
      case 'p99':
        return operation.latency?.[`${column}_ns`] ?? -1;
      default:
        return operation.calls;
    }
  };
  return [...operations].sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    return (x < y ? -1 : x > y ? 1 : 0) * sign || (a.name < b.name ? -1 : 1);
  });
}

/** How much the head differs from the base, as `+12%`; null where that cannot be said. */
export function change(base: number | null | undefined, head: number | null | undefined): number | null {
  if (base === null || base === undefined || head === null || head === undefined || base <= 0) return null;
  return head / base - 1;
}

export function signedPercent(value: number): string {
  const text = `${Math.abs(value * 100) >= 10 ? Math.round(Math.abs(value) * 100) : (Math.abs(value) * 100).toFixed(1)}%`;
  return value < 0 ? `−${text}` : `+${text}`;
}
