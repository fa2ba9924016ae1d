// The graph as the page shows it: edges joined over protocols, rates, and who stands alone.

import type { Graph, GraphEdge, GraphNode, NodeKind } from '../../api/types';

export interface MapEdge extends GraphEdge {
  key: string;
  share: number;
  /** Calls per second. */
  rate: number;
  /** ns; the callee's side where known, since it excludes the network. */
  p95: number | null;
}

export interface MapNode extends GraphNode {
  /** Of a namespace that stands for its services: how many. */
  members?: number;
}

export interface MapModel {
  nodes: ReadonlyMap<string, MapNode>;
  edges: readonly MapEdge[];
  isolated: readonly string[];
  seconds: number;
}

export function buildMap(graph: Graph, services: readonly string[], seconds: number): MapModel {
  const nodes = new Map(graph.nodes.map((node) => [node.id, node]));
  const edges = unique(graph.edges.map((edge) => toMapEdge(edge, edgeKey(edge), seconds)));
  const joined = new Set(edges.flatMap((edge) => [edge.source, edge.target]));
  const isolated = [...new Set([...services, ...graph.nodes.filter((node) => node.kind === 'service').map((node) => node.id)])]
    .filter((id) => !joined.has(id))
    .sort();
  return { nodes: new Map([...nodes].filter(([id]) => joined.has(id))), edges, isolated, seconds };
}

export function toMapEdge(edge: GraphEdge, key: string, seconds: number): MapEdge {
  return {
    ...edge,
    key,
    share: edge.calls === 0 ? 0 : edge.errors / edge.calls,
    rate: edge.calls / Math.max(1, seconds),
    p95: (edge.server ?? edge.client)?.p95_ns ?? null,
  };
}

/** In order of their keys; edges that differ in mode or identity alone get a number. */
function unique(edges: MapEdge[]): MapEdge[] {
  const seen = new Map<string, number>();
  return edges
    .map((edge) => {
      const times = (seen.get(edge.key) ?? 0) + 1;
      seen.set(edge.key, times);
      return times === 1 ? edge : { ...edge, key: `${edge.key}#${times}` };
    })
    .sort((a, b) => (a.key < b.key ? -1 : 1));
}

/** The edge that an address names; links from elsewhere may leave out the protocol. */
export function edgeNamed(edges: readonly MapEdge[], name: string): MapEdge | undefined {
  return edges.find((edge) => edge.key === name) ?? edges.find((edge) => edge.key.startsWith(`${name}|`));
}

export function edgeKey(edge: Pick<GraphEdge, 'source' | 'target' | 'protocol'>): string {
  return `${edge.source}→${edge.target}${edge.protocol ? `|${edge.protocol}` : ''}`;
}

/** Line width in pixels, by the logarithm of the rate. */
export function edgeWidth(rate: number, most: number): number {
  if (rate <= 0) return 1.2;
  const decades = Math.log10(most / rate);
  return Math.max(1.2, 5.5 - decades * 1.4);
}

/** The query that finds an edge's traces; null where no span filter can say it. */
export function edgeQuery(edge: GraphEdge, nodes: ReadonlyMap<string, GraphNode>): string | null {
  const kind = (id: string): NodeKind | undefined => nodes.get(id)?.kind;
  const quoted = (id: string): string => `"${id.replace(/["\\]/g, '\\$&')}"`;
  if (kind(edge.source) === 'service' && kind(edge.target) === 'service') {
    return `{ resource.service.name = ${quoted(edge.source)} } && { resource.service.name = ${quoted(edge.target)} }`;
  }
  const service = kind(edge.source) === 'service' ? edge.source : kind(edge.target) === 'service' ? edge.target : null;
  return service === null ? null : `{ resource.service.name = ${quoted(service)} }`;
}

/** A smooth line through its points, as an SVG path with horizontal ends. */
export function curve(points: readonly { x: number; y: number }[]): string {
  const [first, ...rest] = points;
  if (!first) return '';
  let path = `M${round(first.x)} ${round(first.y)}`;
  let at = first;
  for (const next of rest) {
    const bend = (next.x - at.x) / 2;
    path += `C${round(at.x + bend)} ${round(at.y)} ${round(next.x - bend)} ${round(next.y)} ${round(next.x)} ${round(next.y)}`;
    at = next;
  }
  return path;
}

/** The point at `t` of one piece of `curve`. */
export function along(a: { x: number; y: number }, b: { x: number; y: number }, t: number): { x: number; y: number } {
  const bend = (b.x - a.x) / 2;
  const mix = (p0: number, p1: number, p2: number, p3: number): number =>
    (1 - t) ** 3 * p0 + 3 * (1 - t) ** 2 * t * p1 + 3 * (1 - t) * t * t * p2 + t ** 3 * p3;
  return { x: mix(a.x, a.x + bend, b.x - bend, b.x), y: mix(a.y, a.y, b.y, b.y) };
}

/** Keys of edges whose label stands near the callee: there, a fan of calls has spread out. */
export function labelledAtTarget(edges: readonly MapEdge[]): ReadonlySet<string> {
  const [out, into] = [new Map<string, number>(), new Map<string, number>()];
  for (const edge of edges) {
    out.set(edge.source, (out.get(edge.source) ?? 0) + 1);
    into.set(edge.target, (into.get(edge.target) ?? 0) + 1);
  }
  return new Set(edges.filter((edge) => (out.get(edge.source) ?? 0) >= (into.get(edge.target) ?? 0)).map((edge) => edge.key));
}

const round = (value: number): number => Math.round(value * 10) / 10;
