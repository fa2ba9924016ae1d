// The inventory, one service's charts and the arithmetic of time series.

import { describe, expect, it } from 'vitest';
import type { InstanceLife, OperationFigures, Release } from '../src/api/governance.ts';
import type { Service } from '../src/api/types.ts';
import {
  change,
  charts,
  complete,
  markers,
  operationsInOrder,
  presence,
  signedPercent,
  stepMinutes,
  strips,
  timedExemplars,
} from '../src/features/service/model.ts';
import { patternQuery } from '../src/features/service/patterns.ts';
import { inOrder, layersOf, matches } from '../src/features/services/model.ts';
import { nodeKind, nodeName } from '../src/parts/nodes.ts';
import { serviceOf } from '../src/routes.ts';
import { coarser, highest, linePath, roundUp, stack, sums } from '../src/viz/timeseries.ts';

const service = (id: string, more: Partial<Service> = {}): Service => ({
  id,
  span_count: 1,
  calls: 10,
  errors: 0,
  rate: 1,
  error_ratio: 0,
  p50_ns: 1,
  p95_ns: 2,
  p99_ns: 3,
  operations: 1,
  instances: 1,
  versions: ['1.2'],
  languages: ['go'],
  protocols: ['dubbo'],
  ...more,
});

describe('inventory', () => {
  const all = [
    service('cart', { layer: 'basic', findings: { critical: 0, warning: 3, info: 0 }, outcomes: { limited: 5 } }),
    service('gateway', { layer: 'gateway', findings: { critical: 1, warning: 0, info: 0 }, coverage: { paired: 0.5, orphans: null } }),
    service('Zeta'),
  ];
  it('filters by words in anything that is said', () => {
    const found = (text: string, more = {}): string[] =>
      all.filter((item) => matches(item, { text, layer: '', found: false, ...more })).map((item) => item.id);
    expect(found('')).toHaveLength(3);
    expect(found('LIMITED dubbo')).toEqual(['cart']);
    expect(found('', { layer: 'gateway' })).toEqual(['gateway']);
    expect(found('', { found: true })).toEqual(['cart', 'gateway']);
    expect(found('nothing')).toEqual([]);
  });
  it('sorts by weight of findings, outcomes and coverage', () => {
    expect(inOrder(all, '-findings').map((item) => item.id)).toEqual(['gateway', 'cart', 'Zeta']);
    expect(inOrder(all, '-outcomes')[0]!.id).toBe('cart');
    expect(inOrder(all, 'coverage')[0]!.id).toBe('gateway');
    expect(inOrder(all, 'layer').map((item) => item.id)).toEqual(['gateway', 'cart', 'Zeta']);
    expect(inOrder(all, 'no such column')[0]!.id).toBe('Zeta');
    expect(layersOf(all)).toEqual(['gateway', 'basic']);
  });
});

describe('time series', () => {
  it('rounds scales up', () => {
    expect([0, 0.03, 1, 7, 21, 26, 100].map(roundUp)).toEqual([1, 0.05, 1, 10, 25, 50, 100]);
    expect(highest([[1, null, 3], []])).toBe(3);
  });
  it('breaks lines at gaps and marks lone points', () => {
    const x = (at: number): number => at * 10;
    const y = (value: number): number => value;
    expect(linePath([1, 2, null, 4, null], x, y)).toBe('M5 1L15 2M33.5 4h3');
    expect(linePath([], x, y)).toBe('');
  });
  it('stacks and sums', () => {
    expect(
      stack([
        [1, 2],
        [3, null],
      ]),
    ).toEqual([
      [
        { low: 0, high: 1 },
        { low: 0, high: 2 },
      ],
      [
        { low: 1, high: 4 },
        { low: 2, high: 2 },
      ],
    ]);
    expect(sums([[1, 2], [3]])).toEqual([4, 2]);
    expect(coarser([1, null, 3, 4, null], 2, 'sum')).toEqual([1, 7, null]);
    expect(coarser([1, 5, 2], 2, 'max')).toEqual([5, 2]);
  });
});

describe('one service', () => {
  const minutes = (count: number) => ({ from: 0n, to: BigInt(count) * 60_000_000_000n });
  it('asks for at most 240 steps', () => {
    expect([60, 240, 241, 1440, 7 * 1440, 400 * 1440].map((count) => stepMinutes(minutes(count)))).toEqual([1, 1, 2, 10, 60, 2880]);
  });
  const release = (version: string, first: number, series: number[]): Release => ({
    version,
    first_ns: String(first * 1_000_000),
    last_ns: '0',
    series,
  });
  it('marks what began inside of the window', () => {
    const releases = [release('2', 120_000, [0, 0, 5]), release('1', 0, [4, 4, 0]), release('0', 61_000, [1, 0, 0])];
    expect(markers(releases, 0, 60_000)).toEqual([{ at: 120_000, label: '2' }]);
  });
  it('leaves gaps where nothing was called', () => {
    const model = charts(
      complete({
        service: service('a'),
        step_ns: 60e9,
        series: {
          from_ns: '0',
          calls: [60, 0],
          errors: [6, 0],
          p50_ns: [1, null],
          p95_ns: [2, null],
          p99_ns: [3, null],
          outcomes: { limited: [1, 0], shed: [0, 0] },
        },
      }),
    );
    expect(model).toMatchObject({ rate: [1, 0], errorShare: [0.1, null], instances: [] });
    expect(model.outcomes.map((item) => item.name)).toEqual(['limited']);
  });
  it('draws instances against the busiest step', () => {
    const life = (instance: string, first: string, series: number[]): InstanceLife => ({
      instance,
      version: null,
      first_ns: first,
      last_ns: '0',
      spans: 1,
      series,
    });
    const rows = strips([life('b', '20', [0, 0, 4, 4]), life('a', '10', [8, 0, 0, 0])], 2);
    expect(rows.map(({ instance, cells }) => [instance.instance, cells])).toEqual([
      ['a', [1, 0]],
      ['b', [0, 1]],
    ]);
    expect(presence([0, 1, 1, 0, 2])).toEqual([
      [1, 2],
      [4, 4],
    ]);
  });
  it('sorts operations and knows those whose examples have a time', () => {
    const operation = (name: string, calls: number, errors: number, time: string | null): OperationFigures => ({
      name,
      protocol: null,
      calls,
      errors,
      latency: null,
      outcomes: {},
      exemplars: [{ trace_id: name, span_id: '1', time_ns: time }],
    });
    const all = [operation('a', 1, 1, null), operation('b', 9, 0, '5')];
    expect(operationsInOrder(all, '-calls').map((item) => item.name)).toEqual(['b', 'a']);
    expect(operationsInOrder(all, '-error_ratio').map((item) => item.name)).toEqual(['a', 'b']);
    expect(timedExemplars(all).map((item) => item.operation)).toEqual(['b']);
  });
  it('says how much changed', () => {
    expect(change(100, 136)).toBeCloseTo(0.36);
    expect(change(0, 5)).toBeNull();
    expect(change(null, 5)).toBeNull();
    expect([0.36, -0.029].map(signedPercent)).toEqual(['+36%', '−2.9%']);
  });
  it('searches logs for the constant parts of a pattern', () => {
    expect(patternQuery('order <*> of user <*> was refused: "limit"')).toBe('"was refused: limit" "of user" "order"');
    expect(patternQuery('<*> {id} *')).toBe('');
    expect(patternQuery('订单 <*> 支付成功')).toBe('"支付成功" "订单"');
  });
  it('reads names out of ids and addresses', () => {
    expect([nodeKind(':database:mysql/a'), nodeName(':database:mysql/a')]).toEqual(['database', 'mysql/a']);
    expect([nodeKind(':user'), nodeName(':user')]).toEqual(['user', 'user']);
    expect([nodeKind('user'), nodeName('cart')]).toEqual(['service', 'cart']);
    expect(serviceOf('/services/a%2Fb%20c')).toBe('a/b c');
    expect(serviceOf('/services/%zz')).toBeNull();
  });
});
