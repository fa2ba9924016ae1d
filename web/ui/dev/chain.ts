// What follows from one trace of the seeded shop: where errors begin, sums, links, clocks. Never part of dist.

import type { Blame, LinkedSpan, Skeleton, Statistic, TraceLinks, TraceSkew, TraceStatistics } from '../src/api/types';
import { SLOW_CLOCK, type Shop, type ShopSpan, type ShopTrace } from './shop.ts';

export function origins(trace: ShopTrace, rows: Skeleton): Skeleton['error_origins'] {
  const byId = new Map(trace.spans.map((span) => [span.span_id, span]));
  const below = new Map<number, ShopSpan[]>();
  rows.parent.forEach((parent, row) => {
    const span = byId.get(rows.id[row] ?? '');
    if (span) below.set(parent, [...(parent < 0 ? [] : (below.get(parent) ?? [])), span]);
  });
  return rows.id.flatMap((id, row) => {
    const span = byId.get(id);
    const children = below.get(row) ?? [];
    if (span?.status !== 'error' || children.some((child) => child.status === 'error' && child.kind !== 'consumer')) return [];
    const answered = children.some((child) => child.role === 'entry');
    const blame: Blame = span.role !== 'exit' ? 'span' : answered ? 'edge' : 'peer';
    return [{ row, blame }];
  });
}

export function statistics(trace: ShopTrace, rows: Skeleton, by: string): TraceStatistics {
  const self = new Map(rows.id.map((id, row) => [id, rows.self[row] ?? 0]));
  const groups = new Map<string, Statistic>();
  for (const span of trace.spans) {
    const attribute = [...span.attributes, ...span.resource.attributes].find(({ key }) => key === by);
    const group = by === 'service' ? span.service : by === 'operation' ? span.name : attribute && String(attribute.value);
    if (group === undefined) continue;
    const own = self.get(span.span_id) ?? 0;
    const sum = groups.get(group) ?? empty(group);
    sum.count += 1;
    sum.errors += span.status === 'error' ? 1 : 0;
    sum.total_ns += span.duration_ns;
    sum.self_total_ns += own;
    sum.min_ns = Math.min(sum.min_ns, span.duration_ns);
    sum.max_ns = Math.max(sum.max_ns, span.duration_ns);
    sum.self_min_ns = Math.min(sum.self_min_ns, own);
    sum.self_max_ns = Math.max(sum.self_max_ns, own);
    groups.set(group, sum);
  }
  for (const sum of groups.values()) {
    sum.avg_ns = Math.floor(sum.total_ns / sum.count);
    sum.self_avg_ns = Math.floor(sum.self_total_ns / sum.count);
    sum.self_share = sum.total_ns === 0 ? 0 : sum.self_total_ns / sum.total_ns;
  }
  return { rows: [...groups.values()].sort((a, b) => b.self_total_ns - a.self_total_ns), notes: {} };
}

function empty(group: string): Statistic {
  return {
    group,
    count: 0,
    errors: 0,
    total_ns: 0,
    avg_ns: 0,
    min_ns: Infinity,
    max_ns: 0,
    self_total_ns: 0,
    self_avg_ns: 0,
    self_min_ns: Infinity,
    self_max_ns: 0,
    self_share: 0,
  };
}

export function links(trace: ShopTrace, shop: Shop): TraceLinks {
  const end = (far: string, span: string, here: string): LinkedSpan => ({ trace_id: far, span_id: span, here });
  const start = trace.spans[0]!.start;
  return {
    forward: trace.spans.flatMap((span) => span.links.map((link) => end(link.trace_id, link.span_id, span.span_id))),
    backward: shop.traces.flatMap((other) =>
      other.spans.flatMap((span) =>
        span.links
          .filter((link) => link.trace_id === trace.id && other !== trace)
          .map((link) => ({
            ...end(other.id, span.span_id, link.span_id),
            service: span.service,
            name: span.name,
            start_ns: span.start_ns,
          })),
      ),
    ),
    from_ns: String(start - 3_600_000_000_000n),
    to_ns: String(start + 86_400_000_000_000n),
    notes: {},
  };
}

export function skew(trace: ShopTrace): TraceSkew {
  const late = trace.spans.filter((span) => instance(span) === SLOW_CLOCK.instance);
  if (late.length === 0) return { offsets: [], shifts: [], notes: {} };
  const shift = Number(SLOW_CLOCK.behind);
  const caller = { service: 'order', instance: 'order-1' };
  return {
    offsets: [
      {
        caller,
        callee: { service: 'payment', instance: SLOW_CLOCK.instance },
        low_ns: shift - 9e5,
        high_ns: shift + 9e5,
        calls: 48,
        offset_ns: shift,
      },
      { caller, callee: { service: 'inventory', instance: 'inventory-2' }, low_ns: 2e6, high_ns: -1e6, calls: 31, offset_ns: null },
    ],
    shifts: late.map((span) => ({ span_id: span.span_id, shift_ns: shift })),
    notes: {},
  };
}

function instance(span: ShopSpan): string {
  const found = span.resource.attributes.find(({ key }) => key === 'service.instance.id');
  return String(found?.value ?? '');
}
