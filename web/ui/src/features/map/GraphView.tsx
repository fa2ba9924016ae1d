// The graph as SVG: pan, zoom, select.

import { useMemo, useRef, useState } from 'react';
import type { Finding, FindingSeverity } from '../../api/governance';
import { useT } from '../../i18n';
import { errorVar } from '../../lib/color';
import { duration, percent, rate } from '../../lib/format';
import { useSize } from '../../lib/use-size';
import { Loading } from '../../parts/states';
import { IconButton } from '../../ui/Button';
import { NODE_HEIGHT, NODE_WIDTH, stretched, type Layout, type Point } from './layout';
import { along, curve, edgeWidth, labelledAtTarget, type MapEdge, type MapModel } from './model';
import { worstOf, type Overlay } from './overlay';
import { NodeShape } from './NodeShape';
import { usePanZoom } from './use-pan-zoom';
import { useLayout } from './use-layout';
import styles from './map.module.css';

/** More nodes than this lie closer together. */
const DENSE_FROM = 24;
/** Below this zoom there is no room for the error share beside the p95; the colour still tells it. */
const SHARE_FROM = 0.78;
const NONE = { count: 0, worst: null };

interface GraphViewProps {
  model: MapModel;
  overlay: Overlay;
  /** The node in the middle, if there is one. */
  centre: string;
  selected: string;
  onSelect: (id: string) => void;
}

export function GraphView({ model, overlay, centre, selected, onSelect }: GraphViewProps) {
  // Figures change with every refresh; places only when nodes or edges do.
  const shape = JSON.stringify([[...model.nodes.keys()].sort(), model.edges.map((edge) => [edge.source, edge.target])]);
  const input = useMemo(() => {
    const [nodes, edges] = JSON.parse(shape) as [string[], [string, string][]];
    return { nodes, edges: edges.map(([source, target]) => ({ source, target })), dense: nodes.length > DENSE_FROM };
  }, [shape]);
  const placed = useLayout(input);
  return placed ? (
    <Drawing model={model} overlay={overlay} centre={centre} placed={placed} selected={selected} onSelect={onSelect} />
  ) : (
    <Loading />
  );
}

function Drawing({ model, overlay, centre, placed: raw, selected, onSelect }: GraphViewProps & { placed: Layout }) {
  const t = useT();
  const host = useRef<HTMLDivElement>(null);
  const box = useSize(host);
  const placed = useMemo(() => stretched(raw, box), [raw, box]);
  const { transform, onPointerDown, zoomBy, reset } = usePanZoom(host, placed, box);
  const [hover, setHover] = useState('');
  const focus = hover || selected;
  const near = useMemo(() => neighbours(model, focus), [model, focus]);
  const atTarget = useMemo(() => labelledAtTarget(model.edges), [model]);
  const lanes = useMemo(() => parallel(model.edges), [model]);
  const most = model.edges.reduce((high, edge) => Math.max(high, edge.rate), 0);
  return (
    <div
      ref={host}
      className={styles['canvas']}
      onPointerDown={onPointerDown}
      onClick={(event) => !(event.target as Element).closest('[data-hit],button') && onSelect('')}
    >
      <svg className={styles['svg']} role="group" aria-label={t('map.title')}>
        <g transform={`translate(${transform.x} ${transform.y}) scale(${transform.k})`}>
          {model.edges.map((edge, index) => (
            <Edge
              key={edge.key}
              edge={edge}
              points={trim(placed.edges[index] ?? [], lanes[index])}
              width={edgeWidth(edge.rate, most)}
              active={focus === edge.key || (near !== null && near.edges.has(edge.key))}
              dim={near !== null && !near.edges.has(edge.key)}
              onHover={setHover}
              onSelect={onSelect}
            />
          ))}
          {[...model.nodes.values()].map((node) => {
            const at = placed.nodes[node.id];
            // Nodes cover the ends of lines, labels cover nodes.
            return (
              at && (
                <NodeShape
                  key={node.id}
                  node={node}
                  at={at}
                  zoom={transform.k}
                  findings={marks(overlay.nodes.get(node.id))}
                  seconds={model.seconds}
                  selected={selected === node.id}
                  focused={centre === node.id}
                  dim={near !== null && !near.nodes.has(node.id)}
                  onHover={setHover}
                  onSelect={onSelect}
                />
              )
            );
          })}
          {model.edges.map((edge, index) => {
            const near40 = near === null ? model.edges.length <= 40 && transform.k > 0.5 : near.edges.has(edge.key);
            const found = overlay.edges.get(edge.key);
            const points = trim(placed.edges[index] ?? [], lanes[index]);
            return (
              <g key={edge.key} data-dim={near !== null && !near.edges.has(edge.key)} className={styles['marks']}>
                {near40 && (
                  <EdgeLabel edge={edge} points={points} atTarget={atTarget.has(edge.key)} zoom={transform.k} focused={near !== null} />
                )}
                {found && <EdgeBadge points={points} count={found.length} severity={worstOf(found)} atTarget={atTarget.has(edge.key)} />}
              </g>
            );
          })}
        </g>
      </svg>
      <div className={styles['controls']}>
        <IconButton icon="plus" label={t('map.zoomIn')} onClick={() => zoomBy(1.3)} />
        <IconButton icon="minus" label={t('map.zoomOut')} onClick={() => zoomBy(1 / 1.3)} />
        <IconButton icon="fit" label={t('map.fit')} onClick={reset} />
      </div>
      <Legend />
    </div>
  );
}

interface EdgeProps {
  edge: MapEdge;
  points: readonly Point[];
  width: number;
  active: boolean;
  dim: boolean;
  onHover: (key: string) => void;
  onSelect: (key: string) => void;
}

function Edge({ edge, points, width, active, dim, onHover, onSelect }: EdgeProps) {
  const [first, last] = [points[0], points.at(-1)];
  if (!first || !last) return null;
  const path = curve(points);
  const tone = errorVar(edge.share);
  const back = last.x < first.x ? -1 : 1;
  const size = 4 + width;
  return (
    <g data-dim={dim} data-active={active} className={styles['edge']}>
      <path
        d={path}
        fill="none"
        style={{ stroke: tone, strokeWidth: width }}
        strokeDasharray={edge.mode === 'async' ? `${width + 5} ${width + 3}` : undefined}
      />
      <path
        d={`M${last.x} ${last.y}l${-size * back} ${-size * 0.55}v${size * 1.1}z`}
        className={styles['head']}
        style={confirmed(edge) ? { fill: tone, stroke: tone } : { stroke: tone }}
      />
      <path
        d={path}
        data-hit
        className={styles['hit']}
        tabIndex={0}
        role="button"
        aria-label={`${edge.source} → ${edge.target} ${edge.protocol ?? ''} ${rate(edge.rate)} ${percent(edge.share)}`}
        onPointerEnter={() => onHover(edge.key)}
        onPointerLeave={() => onHover('')}
        onClick={() => onSelect(edge.key)}
        onKeyDown={(event) => event.key === 'Enter' && onSelect(edge.key)}
      />
    </g>
  );
}

/** Did the callee tell of these calls itself? */
function confirmed(edge: MapEdge): boolean {
  return edge.identity === undefined || edge.identity === 'paired';
}

/** Where an edge's label stands. */
function labelPoint(points: readonly Point[], atTarget: boolean): Point | null {
  const [first, last] = [points[0], points.at(-1)];
  if (!first || !last) return null;
  const [near, next] = atTarget ? [points.at(-2) ?? first, last] : [first, points[1] ?? last];
  // A piece that ends at a waypoint runs on under the column of nodes; the gap between columns is what counts.
  const place = points.length === 2 ? 0.57 : 0.66;
  return along(near, next, atTarget ? place : 1 - place);
}

function EdgeLabel({
  edge,
  points,
  atTarget,
  zoom,
  focused,
}: {
  edge: MapEdge;
  points: readonly Point[];
  atTarget: boolean;
  zoom: number;
  focused: boolean;
}) {
  const middle = labelPoint(points, atTarget);
  if (!middle) return null;
  return (
    <text
      x={middle.x}
      y={middle.y - 4}
      textAnchor="middle"
      className={styles['edgeLabel']}
      style={{ fontSize: Math.max(11, 10.5 / zoom) }}
      data-tone={edge.share >= 0.05 ? 'error' : edge.share >= 0.01 ? 'warn' : undefined}
    >
      {edge.identity === 'inferred' ? '≈ ' : ''}
      {edge.p95 === null ? rate(edge.rate) : duration(edge.p95)}
      {edge.share >= 0.001 && (focused || zoom >= SHARE_FROM) ? ` · ${percent(edge.share)}` : ''}
    </text>
  );
}

function EdgeBadge({
  points,
  count,
  severity,
  atTarget,
}: {
  points: readonly Point[];
  count: number;
  severity: FindingSeverity | null;
  atTarget: boolean;
}) {
  const middle = labelPoint(points, atTarget);
  if (!middle || !severity) return null;
  return (
    <g className={styles['badge']} data-severity={severity} transform={`translate(${middle.x} ${middle.y + 9}) scale(0.85)`}>
      {severity === 'critical' ? <path d="M0 -10.500 11 8H-11z" /> : <circle r="8.500" />}
      <text y={severity === 'critical' ? 5.5 : 3.8} textAnchor="middle">
        {count}
      </text>
    </g>
  );
}

function marks(findings: readonly Finding[] | undefined): { count: number; worst: FindingSeverity | null } {
  return findings ? { count: findings.length, worst: worstOf(findings) } : NONE;
}

function Legend() {
  const t = useT();
  return (
    <ul className={styles['legend']}>
      <li>{t('map.legend')}</li>
      <li>
        <svg width="26" height="8" aria-hidden="true">
          <path d="M0 4h26" />
        </svg>
        {t('map.legend.sync')}
      </li>
      <li>
        <svg width="26" height="8" aria-hidden="true">
          <path d="M0 4h26" strokeDasharray="6 4" />
        </svg>
        {t('map.legend.async')}
      </li>
      <li>
        <svg width="14" height="10" aria-hidden="true">
          <path d="M3 1v8l9-4z" />
        </svg>
        {t('map.legend.virtual')}
      </li>
    </ul>
  );
}

/** Edges between the same two nodes (other protocol or mode) run side by side. */
function parallel(edges: readonly MapEdge[]): number[] {
  const total = new Map<string, number>();
  const pair = (edge: MapEdge): string => `${edge.source}\n${edge.target}`;
  for (const edge of edges) total.set(pair(edge), (total.get(pair(edge)) ?? 0) + 1);
  const seen = new Map<string, number>();
  return edges.map((edge) => {
    const at = seen.get(pair(edge)) ?? 0;
    seen.set(pair(edge), at + 1);
    return (at - ((total.get(pair(edge)) ?? 1) - 1) / 2) * 11;
  });
}

/** Lines run from the right edge of the caller to the left edge of the callee; a loop bows under its node. */
function trim(raw: readonly Point[], shift = 0): Point[] {
  const points = shift === 0 ? raw : raw.map((point) => ({ x: point.x, y: point.y + shift }));
  const [first, last] = [points[0], points.at(-1)];
  if (!first || !last) return [];
  if (points.length === 2 && first.x === last.x && first.y === last.y) {
    return [
      { x: first.x + 30, y: first.y + NODE_HEIGHT / 2 },
      { x: first.x, y: first.y + NODE_HEIGHT / 2 + 26 },
      { x: first.x - 30, y: first.y + NODE_HEIGHT / 2 },
    ];
  }
  const side = last.x < first.x ? -1 : 1;
  return [{ x: first.x + (side * NODE_WIDTH) / 2, y: first.y }, ...points.slice(1, -1), { x: last.x - (side * NODE_WIDTH) / 2, y: last.y }];
}

/** What stays bright while something is in focus. */
function neighbours(model: MapModel, focus: string): { nodes: Set<string>; edges: Set<string> } | null {
  if (focus === '') return null;
  const near = { nodes: new Set<string>(), edges: new Set<string>() };
  for (const edge of model.edges) {
    if (edge.key !== focus && edge.source !== focus && edge.target !== focus) continue;
    near.edges.add(edge.key);
    near.nodes.add(edge.source).add(edge.target);
  }
  return near.nodes.size === 0 ? null : near;
}
