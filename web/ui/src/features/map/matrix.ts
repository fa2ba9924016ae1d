// The graph as a matrix: callers in rows, callees in columns, in the order of the layers, so that calls down the layers lie on one side.

import type { MapEdge, MapModel, MapNode } from './model';
import type { Metric } from './state';

export interface Cell {
  calls: number;
  errors: number;
  share: number;
  /** The slowest of the protocols. */
  p95: number | null;
  /** The busiest of the edges that the cell sums. */
  edge: MapEdge;
}

export interface Matrix {
  rows: MapNode[];
  columns: MapNode[];
  cells: ReadonlyMap<string, Cell>;
  /** The highest calls and p95 of any cell. */
  most: { calls: number; p95: number };
}

const LAYERS = ['gateway', 'aggregate', 'basic', 'platform', 'other'];
const KINDS = ['user', 'unknown', 'service', 'topic', 'database', 'external'];

export function matrix(model: MapModel): Matrix {
  const nodes = [...model.nodes.values()].sort((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1));
  const cells = new Map<string, Cell>();
  const most = { calls: 0, p95: 0 };
  for (const edge of model.edges) {
    const key = cellKey(edge.source, edge.target);
    const known = cells.get(key);
    const [calls, errors] = [(known?.calls ?? 0) + edge.calls, (known?.errors ?? 0) + edge.errors];
    const p95 = known?.p95 === undefined || known.p95 === null ? edge.p95 : Math.max(known.p95, edge.p95 ?? 0);
    const cell = {
      calls,
      errors,
      share: calls === 0 ? 0 : errors / calls,
      p95,
      edge: known && known.edge.calls >= edge.calls ? known.edge : edge,
    };
    cells.set(key, cell);
    most.calls = Math.max(most.calls, calls);
    most.p95 = Math.max(most.p95, p95 ?? 0);
  }
  const [callers, callees] = [new Set(model.edges.map((edge) => edge.source)), new Set(model.edges.map((edge) => edge.target))];
  return { rows: nodes.filter((node) => callers.has(node.id)), columns: nodes.filter((node) => callees.has(node.id)), cells, most };
}

export const cellKey = (source: string, target: string): string => `${source}\n${target}`;

function rank(node: MapNode): number {
  const layer = node.layer ? LAYERS.indexOf(node.layer) : LAYERS.length;
  return KINDS.indexOf(node.kind) * 10 + layer;
}

/** Strength of a cell's colour, 0..1: logarithmic, since calls and durations span decades. */
export function heat(cell: Cell, metric: Metric, most: Matrix['most']): number {
  if (metric === 'errors') return cell.share === 0 ? 0 : Math.min(1, 0.25 + cell.share * 4);
  const [value, high] = metric === 'calls' ? [cell.calls, most.calls] : [(cell.p95 ?? 0) / 1e5, most.p95 / 1e5];
  return value <= 0 || high <= 1 ? (value > 0 ? 1 : 0) : Math.max(0.08, Math.log(Math.max(1, value)) / Math.log(high));
}
