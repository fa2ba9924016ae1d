// A graph of 180 services in nine namespaces: what the map must make readable. Chosen as environment "huge".

import type { Graph, GraphEdge, GraphNode, Layer, ServiceList } from '../src/api/types';
import { random } from './shop.ts';

const SPACES = ['pay', 'trade', 'user', 'search', 'stock', 'risk', 'ops', 'media', 'ads'];
const PER_SPACE = 20;
const LAYERS: Layer[] = ['gateway', 'aggregate', 'aggregate', 'basic', 'basic', 'basic', 'platform'];

const nameOf = (space: number, index: number): string =>
  `${SPACES[space]}-${['api', 'core', 'query', 'job', 'rule'][index % 5]}-${Math.floor(index / 5) + 1}`;

export function hugeGraph(): Graph {
  const rand = random(11);
  const nodes = new Map<string, GraphNode>();
  const edges: GraphEdge[] = [];
  const node = (id: string, kind: GraphNode['kind'], layer: Layer | null): void => {
    if (!nodes.has(id)) nodes.set(id, { id, name: id.replace(/^:(?:\w+:)?/, ''), kind, calls: 0, errors: 0, layer });
  };
  const add = (source: string, target: string, protocol: string, virtual: boolean): void => {
    const calls = Math.floor(20 + rand() ** 4 * 90_000);
    const errors = rand() < 0.1 ? Math.floor(calls * rand() * 0.12) : 0;
    const p95 = 1e6 + rand() ** 3 * 600e6;
    const q = { p50_ns: p95 / 3, p95_ns: p95, p99_ns: p95 * 2 };
    const callee = nodes.get(target)!;
    callee.calls += calls;
    callee.errors += errors;
    edges.push({
      source,
      target,
      protocol,
      calls,
      errors,
      client: q,
      server: virtual ? null : q,
      outcomes: {},
      exemplars: [],
      operation: null,
      mode: 'sync',
      identity: virtual ? 'virtual' : 'paired',
      lag: null,
      paired: virtual ? 0 : calls,
    });
  };
  for (let space = 0; space < SPACES.length; space += 1) {
    for (let index = 0; index < PER_SPACE; index += 1)
      node(nameOf(space, index), 'service', LAYERS[Math.floor((index / PER_SPACE) * LAYERS.length)] ?? 'other');
  }
  node(':user', 'user', null);
  for (let space = 0; space < SPACES.length; space += 1) {
    add(':user', nameOf(space, 0), 'http', false);
    for (let index = 0; index < PER_SPACE; index += 1) {
      const own = nameOf(space, index);
      for (let call = 0; call < 2; call += 1) {
        const target = nameOf(space, Math.min(PER_SPACE - 1, index + 1 + Math.floor(rand() * 6)));
        if (target !== own) add(own, target, rand() < 0.5 ? 'grpc' : 'dubbo', false);
      }
      if (rand() < 0.12) add(own, nameOf(Math.floor(rand() * SPACES.length), 3 + Math.floor(rand() * 16)), 'grpc', false);
      if (index > 12) {
        const database = `:database:mysql/${SPACES[space]}${index % 3}`;
        node(database, 'database', null);
        add(own, database, 'mysql', true);
      }
    }
  }
  return {
    nodes: [...nodes.values()],
    edges: unique(edges),
    exactness: { unpaired: 1204, orphans: 310, as_of_ns: String(BigInt(Date.now()) * 1_000_000n) },
  };
}

function unique(edges: GraphEdge[]): GraphEdge[] {
  return [...new Map(edges.map((edge) => [`${edge.source} ${edge.target} ${edge.protocol}`, edge])).values()];
}

export function hugeServices(): ServiceList {
  return {
    services: hugeGraph()
      .nodes.filter((node) => node.kind === 'service')
      .map((node) => ({
        id: node.id,
        span_count: node.calls * 3,
        calls: node.calls,
        errors: node.errors,
        rate: node.calls / 3600,
        error_ratio: node.calls ? node.errors / node.calls : 0,
        p50_ns: 4e6,
        p95_ns: 31e6,
        p99_ns: 90e6,
        operations: 12,
        instances: 4,
        versions: ['1.0.0'],
        languages: ['java'],
        protocols: ['grpc'],
        layer: node.layer ?? null,
        layer_source: 'inferred' as const,
        environments: ['huge'],
        namespaces: [node.id.split('-')[0] ?? ''],
        coverage: { paired: 0.97, orphans: 0 },
      })),
    notes: {},
  };
}
