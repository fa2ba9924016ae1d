// What of a large graph is shown at once: all of it, what is near one node, or namespaces in the place of their services.

import type { GraphEdge } from '../../api/types';
import { toMapEdge, type MapEdge, type MapModel, type MapNode } from './model';

/** More nodes than this cannot be read on one screen. */
export const MOST_NODES = 60;

export type Scope = { kind: 'all' } | { kind: 'focus'; id: string; depth: number; chosen: boolean } | { kind: 'groups'; open: string };

export interface Scoped {
  scope: Scope;
  model: MapModel;
  /** Nodes within the scope that were left out for want of room, the least called. */
  left: number;
  /** Where a node of the whole graph is shown. */
  shownAs: (id: string) => string | null;
}

export function scoped(whole: MapModel, asked: { focus: string; depth: number; ns: string }, spaces: ReadonlyMap<string, string>): Scoped {
  if (whole.nodes.has(asked.focus)) return near(whole, asked.focus, asked.depth, true);
  if (whole.nodes.size <= MOST_NODES)
    return { scope: { kind: 'all' }, model: whole, left: 0, shownAs: (id) => (whole.nodes.has(id) ? id : null) };
  if (new Set(spaces.values()).size >= 2) return grouped(whole, asked.ns, spaces);
  return near(whole, busiest(whole), asked.depth, false);
}

function busiest(model: MapModel): string {
  let best: MapNode | undefined;
  for (const node of model.nodes.values()) {
    if (node.kind === 'service' && (!best || node.calls > best.calls || (node.calls === best.calls && node.id < best.id))) best = node;
  }
  return best?.id ?? [...model.nodes.keys()][0] ?? '';
}

/** Breadth first over calls in both directions; the busiest neighbours come first when there is not room for all. */
function near(whole: MapModel, id: string, depth: number, chosen: boolean): Scoped {
  const around = new Map<string, MapEdge[]>();
  for (const edge of whole.edges) {
    for (const end of [edge.source, edge.target]) around.set(end, [...(around.get(end) ?? []), edge]);
  }
  const reached = new Set([id]);
  let rim = [id];
  for (let step = 0; step < depth; step += 1) {
    const next: string[] = [];
    for (const edge of rim.flatMap((node) => around.get(node) ?? []).sort((a, b) => b.calls - a.calls || (a.key < b.key ? -1 : 1))) {
      for (const end of [edge.source, edge.target]) {
        if (reached.has(end)) continue;
        reached.add(end);
        next.push(end);
      }
    }
    rim = next;
  }
  const kept = new Set([...reached].slice(0, MOST_NODES));
  return {
    scope: { kind: 'focus', id, depth, chosen },
    model: restrict(whole, kept),
    left: reached.size - kept.size,
    shownAs: (node) => (kept.has(node) ? node : null),
  };
}

function restrict(whole: MapModel, kept: ReadonlySet<string>): MapModel {
  return {
    ...whole,
    nodes: new Map([...whole.nodes].filter(([id]) => kept.has(id))),
    edges: whole.edges.filter((edge) => kept.has(edge.source) && kept.has(edge.target)),
    isolated: [],
  };
}

export const GROUP = 'ns:';

/** Services fold into their namespaces, but for the open one; so does what only one namespace uses. */
function grouped(whole: MapModel, open: string, spaces: ReadonlyMap<string, string>): Scoped {
  const home = new Map<string, string>();
  for (const node of whole.nodes.values()) {
    const space = node.kind === 'service' ? spaces.get(node.id) : undefined;
    home.set(node.id, space === undefined || space === open ? node.id : GROUP + space);
  }
  const users = new Map<string, Set<string>>();
  const use = (id: string, by: string): void => void users.set(id, (users.get(id) ?? new Set()).add(home.get(by) ?? by));
  for (const edge of whole.edges) {
    use(edge.source, edge.target);
    use(edge.target, edge.source);
  }
  for (const node of whole.nodes.values()) {
    const by = users.get(node.id);
    const only = by?.size === 1 ? [...by][0] : undefined;
    if (node.kind !== 'service' && only?.startsWith(GROUP)) home.set(node.id, only);
  }
  const model = fold(whole, home);
  const kept = new Set(
    [...model.nodes.values()]
      .sort((a, b) => Number(b.members !== undefined) - Number(a.members !== undefined) || b.calls - a.calls)
      .slice(0, MOST_NODES)
      .map((node) => node.id),
  );
  return {
    scope: { kind: 'groups', open },
    model: { ...restrict(model, kept), isolated: whole.isolated },
    left: model.nodes.size - kept.size,
    shownAs: (id) => home.get(id) ?? (whole.nodes.has(id) ? id : null),
  };
}

function fold(whole: MapModel, home: ReadonlyMap<string, string>): MapModel {
  const nodes = new Map<string, MapNode>();
  for (const node of whole.nodes.values()) {
    const id = home.get(node.id) ?? node.id;
    if (id === node.id) nodes.set(id, node);
    else {
      const group = nodes.get(id) ?? { id, name: id.slice(GROUP.length), kind: 'service' as const, calls: 0, errors: 0, members: 0 };
      const counts = node.kind === 'service';
      nodes.set(id, {
        ...group,
        calls: group.calls + (counts ? node.calls : 0),
        errors: group.errors + (counts ? node.errors : 0),
        members: (group.members ?? 0) + (counts ? 1 : 0),
      });
    }
  }
  const edges = new Map<string, GraphEdge>();
  for (const edge of whole.edges) {
    const [source, target] = [home.get(edge.source) ?? edge.source, home.get(edge.target) ?? edge.target];
    if (source === target && source !== edge.source) continue;
    if (source === edge.source && target === edge.target) {
      edges.set(edge.key, edge);
      continue;
    }
    const key = `${source}→${target}`;
    const known = edges.get(key);
    edges.set(
      key,
      known
        ? sum(known, edge)
        : { ...edge, source, target, protocol: null, client: null, server: null, exemplars: edge.exemplars.slice(0, 3) },
    );
  }
  return {
    ...whole,
    nodes,
    edges: [...edges].map(([key, edge]) => toMapEdge(edge, key, whole.seconds)).sort((a, b) => (a.key < b.key ? -1 : 1)),
  };
}

/** Quantiles do not add up, so the sum has none. */
function sum(a: GraphEdge, b: GraphEdge): GraphEdge {
  const outcomes = { ...a.outcomes };
  for (const [name, calls] of Object.entries(b.outcomes)) outcomes[name] = (outcomes[name] ?? 0) + calls;
  return {
    ...a,
    calls: a.calls + b.calls,
    errors: a.errors + b.errors,
    outcomes,
    mode: a.mode === 'async' && b.mode === 'async' ? 'async' : 'sync',
    identity: a.identity === b.identity ? (a.identity ?? 'paired') : 'paired',
    paired: (a.paired ?? 0) + (b.paired ?? 0),
  };
}
