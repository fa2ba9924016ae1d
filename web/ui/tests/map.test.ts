// Layout and figures of the service map.

import { describe, expect, it } from 'vitest';
import type { Graph } from '../src/api/types.ts';
import { layout, NODE_HEIGHT, type LayoutInput } from '../src/features/map/layout.ts';
import { along, buildMap, curve, edgeQuery, edgeWidth } from '../src/features/map/model.ts';

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
  it('lays out 500 services in time', () => {
    const nodes = Array.from({ length: 500 }, (_, index) => `s${index}`);
    const spread = (of: (index: number, step: number) => number): LayoutInput => ({
      nodes,
      edges: nodes.flatMap((_, index) => [1, 7, 31].map((step) => ({ source: `s${index}`, target: `s${of(index, step)}` }))),
    });
    // Eight tiers that call the next two; the budget is 150 ms, three times that on a busy machine.
    const tiers = spread((index, step) => Math.min(499, index + 62 * (1 + (step % 2)) - (index % 62) + ((index * step) % 62)));
    const tangle = spread((index, step) => (index * 3 + step) % 500);
    for (const [input, limit] of [
      [tiers, 450],
      [tangle, 3000],
    ] as const) {
      const began = performance.now();
      expect(Object.keys(layout(input).nodes)).toHaveLength(500);
      expect(performance.now() - began).toBeLessThan(limit);
    }
  });
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
