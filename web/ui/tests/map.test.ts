// Layout and figures of the service map.

import { describe, expect, it } from 'vitest';
import type { Finding } from '../src/api/governance.ts';
import type { Graph, GraphEdge } from '../src/api/types.ts';
import { layout, NODE_HEIGHT, stretched, type LayoutInput } from '../src/features/map/layout.ts';
import { cellKey, heat, matrix } from '../src/features/map/matrix.ts';
import { along, buildMap, curve, edgeNamed, edgeQuery, edgeWidth, type MapModel } from '../src/features/map/model.ts';
import { overlay } from '../src/features/map/overlay.ts';
import { MOST_NODES, scoped } from '../src/features/map/scope.ts';

const graphOf = (...pairs: string[]): LayoutInput => {
  const edges = pairs.map((pair) => ({ source: pair[0] ?? '', target: pair[1] ?? '' }));
  return { nodes: [...new Set(edges.flatMap((edge) => [edge.source, edge.target]))], edges };
};

describe('layout', () => {
  it('puts callers left of callees', () => {
    const { nodes } = layout(graphOf('ab', 'bc', 'ac', 'bd'));
    expect(nodes['a']!.x).toBeLessThan(nodes['b']!.x);
    expect(nodes['b']!.x).toBeLessThan(nodes['c']!.x);
    expect(nodes['c']!.x).toBe(nodes['d']!.x);
  });
  it('does not depend on the order of its input', () => {
    const input = graphOf('ab', 'ac', 'bd', 'cd', 'de', 'ae', 'fb');
    const shuffled = { nodes: [...input.nodes].reverse(), edges: [...input.edges].reverse() };
    expect(layout(shuffled).nodes).toEqual(layout(input).nodes);
  });
  it('survives cycles, loops and strangers', () => {
    const result = layout({
      nodes: ['a', 'b', 'c'],
      edges: [
        { source: 'a', target: 'b' },
        { source: 'b', target: 'a' },
        { source: 'c', target: 'c' },
        { source: 'a', target: 'zz' },
      ],
    });
    expect(Object.keys(result.nodes)).toEqual(['a', 'b', 'c']);
    expect(result.edges[1]!.map((point) => point.x)).toEqual([result.nodes['b']!.x, result.nodes['a']!.x]);
    expect(result.edges[3]).toEqual([]);
    expect(layout({ nodes: [], edges: [] })).toMatchObject({ width: 0, height: 0 });
  });
  it('leads long edges through waypoints and keeps nodes apart', () => {
    const result = layout(graphOf('ab', 'bc', 'cd', 'ad', 'ae', 'af', 'ag'));
    expect(result.edges[3]).toHaveLength(4);
    const column = ['b', 'e', 'f', 'g'].map((id) => result.nodes[id]!.y).sort((a, b) => a - b);
    for (let at = 1; at < column.length; at += 1) expect(column[at]! - column[at - 1]!).toBeGreaterThanOrEqual(NODE_HEIGHT);
  });
  it('uncrosses what need not cross', () => {
    const { nodes } = layout(graphOf('ay', 'bx', 'az', 'by'));
    const order = (names: string[]): string => names.sort((p, q) => nodes[p]!.y - nodes[q]!.y).join('');
    expect(order(['x', 'y', 'z'])).toBe(order(['a', 'b']) === 'ab' ? 'zyx' : 'xyz');
  });
  it('lays out 500 services', () => {
    const nodes = Array.from({ length: 500 }, (_, index) => `s${index}`);
    const spread = (of: (index: number, step: number) => number): LayoutInput => ({
      nodes,
      edges: nodes.flatMap((_, index) => [1, 7, 31].map((step) => ({ source: `s${index}`, target: `s${of(index, step)}` }))),
    });
    // Eight tiers that call the next two, and a tangle. What does not scale ends at the test's limit.
    const tiers = spread((index, step) => Math.min(499, index + 62 * (1 + (step % 2)) - (index % 62) + ((index * step) % 62)));
    const tangle = spread((index, step) => (index * 3 + step) % 500);
    for (const input of [tiers, tangle]) {
      expect(Object.keys(layout(input).nodes)).toHaveLength(500);
    }
  }, 60_000);
});

describe('map model', () => {
  const graph: Graph = {
    nodes: [
      { id: 'a', name: 'a', kind: 'service', calls: 10, errors: 0 },
      { id: 'b', name: 'b', kind: 'service', calls: 10, errors: 2 },
      { id: 'd', name: 'pg', kind: 'database', calls: 4, errors: 0 },
      { id: 'lone', name: 'lone', kind: 'service', calls: 1, errors: 0 },
    ],
    edges: [
      {
        source: 'a',
        target: 'b',
        protocol: 'grpc',
        calls: 10,
        errors: 2,
        client: { p50_ns: 1, p95_ns: 9, p99_ns: 9 },
        server: { p50_ns: 1, p95_ns: 5, p99_ns: 5 },
        outcomes: {},
        exemplars: [],
      },
      { source: 'b', target: 'd', protocol: null, calls: 4, errors: 0, client: null, server: null, outcomes: {}, exemplars: [] },
    ],
  };
  it('joins figures and lists who stands alone', () => {
    const model = buildMap(graph, ['a', 'quiet'], 10);
    expect(model.edges.map((edge) => [edge.key, edge.rate, edge.share, edge.p95])).toEqual([
      ['a→b|grpc', 1, 0.2, 5],
      ['b→d', 0.4, 0, null],
    ]);
    expect(model.isolated).toEqual(['lone', 'quiet']);
    expect([...model.nodes.keys()]).toEqual(['a', 'b', 'd']);
  });
  it('asks for both services of an edge, or for the one there is', () => {
    const model = buildMap(graph, [], 10);
    expect(edgeQuery(graph.edges[0]!, model.nodes)).toBe('{ resource.service.name = "a" } && { resource.service.name = "b" }');
    expect(edgeQuery(graph.edges[1]!, model.nodes)).toBe('{ resource.service.name = "b" }');
  });
  it('draws thicker for more and smooth between points', () => {
    expect(edgeWidth(100, 100)).toBe(5.5);
    expect(edgeWidth(10, 100)).toBeLessThan(5.5);
    expect(edgeWidth(0, 100)).toBe(1.2);
    expect(
      curve([
        { x: 0, y: 0 },
        { x: 10, y: 4 },
      ]),
    ).toBe('M0 0C5 0 5 4 10 4');
    expect(along({ x: 0, y: 0 }, { x: 10, y: 4 }, 0.5)).toEqual({ x: 5, y: 2 });
  });
});

const call = (source: string, target: string, more: Partial<GraphEdge> = {}): GraphEdge => ({
  source,
  target,
  protocol: 'grpc',
  calls: 10,
  errors: 1,
  client: null,
  server: { p50_ns: 1, p95_ns: 5, p99_ns: 5 },
  outcomes: {},
  exemplars: [],
  ...more,
});

function mapOf(edges: GraphEdge[]): MapModel {
  const ids = [...new Set(edges.flatMap((edge) => [edge.source, edge.target]))];
  const kind = (id: string) => (id.startsWith(':database:') ? ('database' as const) : ('service' as const));
  return buildMap(
    { nodes: ids.map((id) => ({ id, name: id.replace(/^:\w+:/, ''), kind: kind(id), calls: 10, errors: 0 })), edges },
    [],
    10,
  );
}

/** `x0 → x1 → … → x69`, and a database that only one of them uses, and one that both namespaces use. */
const long = (): MapModel =>
  mapOf([
    ...Array.from({ length: 69 }, (_, at) => call(`x${at}`, `x${at + 1}`)),
    call('x3', ':database:own', { protocol: 'mysql' }),
    call('x3', ':database:both', { protocol: 'mysql' }),
    call('x60', ':database:both', { protocol: 'mysql' }),
  ]);
const spaces = new Map(Array.from({ length: 70 }, (_, at) => [`x${at}`, at < 35 ? 'low' : 'high']));
const nothing = { focus: '', depth: 1, ns: '' };

describe('scope', () => {
  it('shows small graphs whole', () => {
    const model = mapOf([call('a', 'b')]);
    expect(scoped(model, nothing, spaces)).toMatchObject({ scope: { kind: 'all' }, left: 0 });
    expect(scoped(model, nothing, spaces).model).toBe(model);
  });
  it('shows what is near a focus, whatever the direction', () => {
    const near = scoped(long(), { focus: 'x3', depth: 1, ns: '' }, spaces);
    expect([...near.model.nodes.keys()].sort()).toEqual([':database:both', ':database:own', 'x2', 'x3', 'x4']);
    expect(near.model.edges).toHaveLength(4);
    expect(near.shownAs('x9')).toBeNull();
    expect(scoped(long(), { focus: 'x3', depth: 2, ns: '' }, spaces).model.nodes.size).toBe(8);
  });
  it('folds namespaces, and what only one of them uses', () => {
    const folded = scoped(long(), nothing, spaces);
    expect([...folded.model.nodes.keys()].sort()).toEqual([':database:both', 'ns:high', 'ns:low']);
    expect(folded.model.nodes.get('ns:low')).toMatchObject({ members: 35, calls: 350 });
    expect(folded.model.edges.map((edge) => [edge.key, edge.calls, edge.p95])).toEqual([
      ['ns:high→:database:both', 10, null],
      ['ns:low→:database:both', 10, null],
      ['ns:low→ns:high', 10, null],
    ]);
    expect([folded.shownAs('x1'), folded.shownAs(':database:own'), folded.shownAs('nobody')]).toEqual(['ns:low', 'ns:low', null]);
  });
  it('opens one namespace', () => {
    const open = scoped(long(), { ...nothing, ns: 'low' }, spaces).model;
    expect(open.nodes.size).toBe(38);
    expect(open.edges.find((edge) => edge.source === 'x34')).toMatchObject({ target: 'ns:high', p95: null });
    expect(open.edges.find((edge) => edge.source === 'x1')).toMatchObject({ target: 'x2', p95: 5 });
  });
  it('falls back to the busiest service, and says what it leaves out', () => {
    const hub = mapOf(Array.from({ length: 90 }, (_, at) => call('hub', `leaf${at}`, { calls: at + 1 })));
    const near = scoped(hub, nothing, new Map());
    expect(near.scope).toMatchObject({ kind: 'focus', chosen: false });
    const chosen = scoped(hub, { ...nothing, focus: 'hub' }, new Map());
    expect([chosen.model.nodes.size, chosen.left]).toEqual([MOST_NODES, 31]);
    expect(chosen.model.nodes.has('leaf89') && !chosen.model.nodes.has('leaf0')).toBe(true);
  });
});

describe('overlay', () => {
  const about = (kind: string, id: string, ...services: string[]): Finding =>
    ({ id: `${kind} ${id}`, severity: 'warning', subject: { kind, id, services } }) as unknown as Finding;
  it('puts findings on edges, nodes and whatever stands for them', () => {
    const whole = long();
    const found = [
      about('edge', 'no instance x34 → x35'),
      about('edge', 'x1 → x2'),
      about('database', 'both', 'x3', 'x60'),
      about('service', 'x50', 'x50'),
    ];
    const folded = scoped(whole, nothing, spaces);
    const marks = overlay(found, whole, folded.model, folded.shownAs);
    expect([...marks.edges.keys()]).toEqual(['ns:low→ns:high']);
    expect([...marks.nodes].map(([id, items]) => [id, items.length])).toEqual([
      ['ns:low', 1],
      [':database:both', 1],
      ['ns:high', 1],
    ]);
    const near = scoped(whole, { focus: 'x1', depth: 1, ns: '' }, spaces);
    expect([...overlay(found, whole, near.model, near.shownAs).edges.keys()]).toEqual(['x1→x2|grpc']);
  });
});

describe('matrix', () => {
  it('sums protocols and keeps the busiest edge', () => {
    const model = mapOf([
      call('a', 'b', { calls: 4 }),
      call('a', 'b', { protocol: 'http', calls: 6, errors: 3 }),
      call('b', ':database:d'),
    ]);
    const { rows, columns, cells, most } = matrix(model);
    expect(rows.map((node) => node.id)).toEqual(['a', 'b']);
    expect(columns.map((node) => node.id)).toEqual(['b', ':database:d']);
    expect(cells.get(cellKey('a', 'b'))).toMatchObject({ calls: 10, errors: 4, share: 0.4, edge: { protocol: 'http' } });
    const cell = cells.get(cellKey('a', 'b'))!;
    expect([heat(cell, 'calls', most), heat(cell, 'errors', most)]).toEqual([1, 1]);
    expect(heat({ ...cell, share: 0 }, 'errors', most)).toBe(0);
  });
  it('numbers edges that differ in mode alone, and finds one without its protocol', () => {
    const model = mapOf([call('a', 'b', { mode: 'sync' }), call('a', 'b', { mode: 'async' })]);
    expect(model.edges.map((edge) => edge.key)).toEqual(['a→b|grpc', 'a→b|grpc#2']);
    expect(edgeNamed(model.edges, 'a→b')?.key).toBe('a→b|grpc');
    expect(edgeNamed(model.edges, 'b→a')).toBeUndefined();
  });
});

describe('stretching', () => {
  it('uses the room of the box, in steps', () => {
    const flat = layout(graphOf('ab', 'bc', 'ad'));
    const tall = stretched(flat, { width: 900, height: 700 });
    expect(tall.height).toBeGreaterThan(flat.height);
    expect(stretched(flat, { width: 903, height: 700 }).height).toBe(tall.height);
    expect(stretched(flat, { width: 0, height: 0 })).toBe(flat);
    expect(tall.width).toBe(flat.width);
  });
});
