// Layered layout of the service graph. Pure and deterministic: the same graph always lies the same way.
//
// 1. Edges that close a cycle are turned round (depth-first, callers nobody calls first, then by name).
// 2. A node's layer is the longest way from a source; long edges get a waypoint in every layer between.
// 3. Layers are ordered by the mean place of their neighbours, swept to and fro; the order with the fewest crossings wins.
// 4. Nodes move towards the mean height of their neighbours as far as their neighbours in the layer allow.

export interface LayoutInput {
  nodes: readonly string[];
  edges: readonly { source: string; target: string }[];
  /** Closer together: for graphs that would not fit otherwise. */
  dense?: boolean;
}

export interface Point {
  x: number;
  y: number;
}

export interface Layout {
  nodes: Record<string, Point>;
  /** Per edge of the input, the points its line passes, from the caller to the callee. */
  edges: Point[][];
  width: number;
  height: number;
}

export const NODE_WIDTH = 172;
export const NODE_HEIGHT = 44;
const LAYER_GAP = { wide: 124, dense: 80 };
const ROW_GAP = { wide: 30, dense: 12 };
const WAYPOINT_HEIGHT = 14;
const SWEEPS = 12;
/** Vertices times sweeps stay below this: a tangle of cycles gets fewer sweeps, not a page that hangs. */
const WORK = 120_000;

interface Vertex {
  /** Index of the input node, or −1 for a waypoint. */
  node: number;
  layer: number;
  up: number[];
  down: number[];
  /** Place in its layer. */
  order: number;
  y: number;
  height: number;
}

export function layout(input: LayoutInput): Layout {
  const ids = [...new Set(input.nodes)].sort();
  const index = new Map(ids.map((id, position) => [id, position]));
  const pairs = input.edges.map(({ source, target }) => [index.get(source) ?? -1, index.get(target) ?? -1] as const);
  const acyclic = turnCycles(ids.length, pairs);
  const layers = layerOf(ids.length, acyclic);
  const vertices: Vertex[] = ids.map((_, node) => ({
    node,
    layer: layers[node] ?? 0,
    up: [],
    down: [],
    order: 0,
    y: 0,
    height: NODE_HEIGHT,
  }));
  const chains = acyclic.map((edge) => (edge ? connect(vertices, edge[0], edge[1]) : []));
  const rows = order(vertices);
  const dense = input.dense ? 'dense' : 'wide';
  place(vertices, rows, ROW_GAP[dense]);
  return result(ids, pairs, vertices, chains, LAYER_GAP[dense]);
}

type Pair = readonly [number, number];

/** The edges with back edges reversed; null for self-loops and unknown ends. */
function turnCycles(count: number, pairs: readonly Pair[]): (Pair | null)[] {
  const out: number[][] = Array.from({ length: count }, () => []);
  const incoming = new Int32Array(count);
  for (const [source, target] of pairs) {
    if (source < 0 || target < 0 || source === target) continue;
    out[source]?.push(target);
    incoming[target] = (incoming[target] ?? 0) + 1;
  }
  for (const targets of out) targets.sort((a, b) => a - b);
  const state = new Uint8Array(count);
  const back = new Set<string>();
  const starts = Array.from({ length: count }, (_, node) => node).sort(
    (a, b) => Number((incoming[a] ?? 0) > 0) - Number((incoming[b] ?? 0) > 0) || a - b,
  );
  for (const start of starts) {
    const stack: { node: number; next: number }[] = state[start] ? [] : [{ node: start, next: 0 }];
    if (stack.length > 0) state[start] = 1;
    for (let top = stack.at(-1); top; top = stack.at(-1)) {
      const target = out[top.node]?.[top.next];
      top.next += 1;
      if (target === undefined) {
        state[top.node] = 2;
        stack.pop();
      } else if (state[target] === 1) back.add(`${top.node} ${target}`);
      else if (state[target] === 0) {
        state[target] = 1;
        stack.push({ node: target, next: 0 });
      }
    }
  }
  return pairs.map(([source, target]) => {
    if (source < 0 || target < 0 || source === target) return null;
    return back.has(`${source} ${target}`) ? [target, source] : [source, target];
  });
}

function layerOf(count: number, edges: readonly (Pair | null)[]): Int32Array {
  const layer = new Int32Array(count);
  const incoming = new Int32Array(count);
  const out: number[][] = Array.from({ length: count }, () => []);
  for (const edge of edges) {
    if (!edge) continue;
    out[edge[0]]?.push(edge[1]);
    incoming[edge[1]] = (incoming[edge[1]] ?? 0) + 1;
  }
  const ready = Array.from({ length: count }, (_, node) => node).filter((node) => incoming[node] === 0);
  for (let node = ready.pop(); node !== undefined; node = ready.pop()) {
    for (const target of out[node] ?? []) {
      layer[target] = Math.max(layer[target] ?? 0, (layer[node] ?? 0) + 1);
      incoming[target] = (incoming[target] ?? 0) - 1;
      if (incoming[target] === 0) ready.push(target);
    }
  }
  return layer;
}

/** Joins two vertices, through waypoints where layers lie between; returns the chain of vertices. */
function connect(vertices: Vertex[], source: number, target: number): number[] {
  const chain = [source];
  for (let layer = (vertices[source]?.layer ?? 0) + 1; layer < (vertices[target]?.layer ?? 0); layer += 1) {
    chain.push(vertices.push({ node: -1, layer, up: [], down: [], order: 0, y: 0, height: WAYPOINT_HEIGHT }) - 1);
  }
  chain.push(target);
  for (let at = 1; at < chain.length; at += 1) {
    const [from, to] = [chain[at - 1] ?? 0, chain[at] ?? 0];
    vertices[from]?.down.push(to);
    vertices[to]?.up.push(from);
  }
  return chain;
}

function order(vertices: Vertex[]): number[][] {
  const rows: number[][] = [];
  vertices.forEach((vertex, index) => (rows[vertex.layer] ??= []).push(index));
  const set = (row: number[]): void => row.forEach((vertex, place) => (vertices[vertex]!.order = place));
  rows.forEach(set);
  let best = rows.map((row) => [...row]);
  let fewest = crossings(vertices, rows);
  const sweeps = sweepsFor(vertices);
  for (let sweep = 0; sweep < sweeps && fewest > 0; sweep += 1) {
    const downwards = sweep % 2 === 0;
    for (const row of downwards ? rows.slice(1) : rows.slice(0, -1).reverse()) {
      const mean = new Map(row.map((vertex) => [vertex, barycentre(vertices, vertex, downwards)]));
      row.sort((a, b) => (mean.get(a) ?? 0) - (mean.get(b) ?? 0) || a - b);
      set(row);
    }
    const now = crossings(vertices, rows);
    if (now < fewest) {
      fewest = now;
      best = rows.map((row) => [...row]);
    }
  }
  best.forEach(set);
  return best;
}

function sweepsFor(vertices: Vertex[]): number {
  return Math.max(2, Math.min(SWEEPS, Math.floor(WORK / vertices.length)));
}

function barycentre(vertices: Vertex[], vertex: number, above: boolean): number {
  const own = vertices[vertex];
  const near = above ? own?.up : own?.down;
  if (!own || !near || near.length === 0) return own?.order ?? 0;
  return near.reduce((sum, other) => sum + (vertices[other]?.order ?? 0), 0) / near.length;
}

function crossings(vertices: Vertex[], rows: number[][]): number {
  let total = 0;
  rows.forEach((row, layer) => {
    const below = rows[layer + 1]?.length ?? 0;
    // A Fenwick tree over the places of the next layer counts the ends right of each new one.
    const tree = new Int32Array(below + 1);
    let ends = 0;
    for (const vertex of row) {
      const places = (vertices[vertex]?.down ?? []).map((other) => vertices[other]?.order ?? 0);
      for (const place of places) total += ends - sumUpTo(tree, place);
      for (const place of places) add(tree, place);
      ends += places.length;
    }
  });
  return total;
}

function sumUpTo(tree: Int32Array, place: number): number {
  let sum = 0;
  for (let at = place + 1; at > 0; at -= at & -at) sum += tree[at] ?? 0;
  return sum;
}

function add(tree: Int32Array, place: number): void {
  for (let at = place + 1; at < tree.length; at += at & -at) tree[at] = (tree[at] ?? 0) + 1;
}

function place(vertices: Vertex[], rows: number[][], rowGap: number): void {
  for (const row of rows) {
    let y = 0;
    for (const index of row) {
      const vertex = vertices[index]!;
      vertex.y = y + vertex.height / 2;
      y += vertex.height + rowGap;
    }
    for (const index of row) vertices[index]!.y -= y / 2;
  }
  const sweeps = sweepsFor(vertices);
  for (let sweep = 0; sweep < sweeps; sweep += 1) {
    for (const row of sweep % 2 === 0 ? rows : [...rows].reverse()) relax(vertices, row, rowGap);
  }
}

/** Moves the nodes of a layer to where their neighbours want them, then apart again, keeping the order. */
function relax(vertices: Vertex[], row: number[], rowGap: number): void {
  const wanted = row.map((index) => {
    const vertex = vertices[index]!;
    const near = [...vertex.up, ...vertex.down];
    return near.length === 0 ? vertex.y : near.reduce((sum, other) => sum + vertices[other]!.y, 0) / near.length;
  });
  const gap = (a: number, b: number): number => (vertices[a]!.height + vertices[b]!.height) / 2 + rowGap;
  const down = [...wanted];
  for (let at = 1; at < row.length; at += 1) down[at] = Math.max(wanted[at]!, down[at - 1]! + gap(row[at - 1]!, row[at]!));
  const up = [...wanted];
  for (let at = row.length - 2; at >= 0; at -= 1) up[at] = Math.min(wanted[at]!, up[at + 1]! - gap(row[at]!, row[at + 1]!));
  // The mean of both keeps every gap, since each of them does.
  row.forEach((index, at) => (vertices[index]!.y = (down[at]! + up[at]!) / 2));
}

function result(ids: string[], pairs: readonly Pair[], vertices: Vertex[], chains: number[][], layerGap: number): Layout {
  let [top, bottom, layers] = [Infinity, -Infinity, 0];
  for (const vertex of vertices) {
    top = Math.min(top, vertex.y - vertex.height / 2);
    bottom = Math.max(bottom, vertex.y + vertex.height / 2);
    layers = Math.max(layers, vertex.layer);
  }
  const x = (layer: number): number => layer * (NODE_WIDTH + layerGap) + NODE_WIDTH / 2;
  const point = (vertex: number): Point => ({ x: x(vertices[vertex]?.layer ?? 0), y: (vertices[vertex]?.y ?? 0) - top });
  const edges = pairs.map(([source, target], at) => {
    const chain = chains[at] ?? [];
    if (chain.length === 0) return source >= 0 && source === target ? [point(source), point(source)] : [];
    const points = chain.map(point);
    return chain[0] === source ? points : points.reverse();
  });
  return {
    nodes: Object.fromEntries(ids.map((id, index) => [id, point(index)])),
    edges,
    width: ids.length === 0 ? 0 : x(layers) + NODE_WIDTH / 2,
    height: ids.length === 0 ? 0 : bottom - top,
  };
}

const MOST_STRETCH = 2.2;

/** Moves the rows apart until the drawing has the shape of its box, so that it can be larger. Nodes keep their size. */
export function stretched(placed: Layout, box: { width: number; height: number }): Layout {
  if (placed.height <= NODE_HEIGHT || box.width === 0 || placed.width === 0) return placed;
  const wanted = (placed.width * box.height) / box.width;
  // In steps, so that a small change of the window moves nothing.
  const factor = Math.floor(Math.min(MOST_STRETCH, wanted / placed.height) * 5) / 5;
  if (factor <= 1) return placed;
  const move = (point: Point): Point => ({ x: point.x, y: point.y * factor });
  return {
    nodes: Object.fromEntries(Object.entries(placed.nodes).map(([id, point]) => [id, move(point)])),
    edges: placed.edges.map((points) => points.map(move)),
    width: placed.width,
    height: placed.height * factor,
  };
}
