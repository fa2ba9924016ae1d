// The graph as SVG: pan, zoom, select.

import { useMemo, useRef, useState } from 'react';
import { useT } from '../../i18n';
import { errorVar } from '../../lib/color';
import { duration, percent, rate } from '../../lib/format';
import { useSize } from '../../lib/use-size';
import { Loading } from '../../parts/states';
import { IconButton } from '../../ui/Button';
import { NODE_HEIGHT, NODE_WIDTH, type Layout, type Point } from './layout';
import { along, curve, edgeWidth, labelledAtTarget, type MapEdge, type MapModel } from './model';
import { NodeShape } from './NodeShape';
import { usePanZoom } from './use-pan-zoom';
import { useLayout } from './use-layout';
import styles from './map.module.css';

interface GraphViewProps {
  model: MapModel;
  selected: string;
  onSelect: (id: string) => void;
}

export function GraphView({ model, selected, onSelect }: GraphViewProps) {
  // Figures change with every refresh; places only when nodes or edges do.
  const shape = JSON.stringify([[...model.nodes.keys()].sort(), model.edges.map((edge) => [edge.source, edge.target])]);
  const input = useMemo(() => {
    const [nodes, edges] = JSON.parse(shape) as [string[], [string, string][]];
    return { nodes, edges: edges.map(([source, target]) => ({ source, target })) };
  }, [shape]);
  const placed = useLayout(input);
  return placed ? <Drawing model={model} placed={placed} selected={selected} onSelect={onSelect} /> : <Loading />;
}

function Drawing({ model, placed, selected, onSelect }: GraphViewProps & { placed: Layout }) {
  const t = useT();
  const host = useRef<HTMLDivElement>(null);
  const box = useSize(host);
  const { transform, onPointerDown, zoomBy, reset } = usePanZoom(host, placed, box);
  const [hover, setHover] = useState('');
  const focus = hover || selected;
  const near = useMemo(() => neighbours(model, focus), [model, focus]);
  const atTarget = useMemo(() => labelledAtTarget(model.edges), [model]);
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
              points={trim(placed.edges[index] ?? [])}
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
                  seconds={model.seconds}
                  selected={selected === node.id}
                  dim={near !== null && !near.nodes.has(node.id)}
                  onHover={setHover}
                  onSelect={onSelect}
                />
              )
            );
          })}
          {transform.k > 0.5 &&
            model.edges.map((edge, index) => {
              const shown = near === null ? model.edges.length <= 40 : near.edges.has(edge.key);
              return (
                shown && <EdgeLabel key={edge.key} edge={edge} points={trim(placed.edges[index] ?? [])} atTarget={atTarget.has(edge.key)} />
              );
            })}
        </g>
      </svg>
      <div className={styles['controls']}>
        <IconButton icon="plus" label={t('map.zoomIn')} onClick={() => zoomBy(1.3)} />
        <IconButton icon="minus" label={t('map.zoomOut')} onClick={() => zoomBy(1 / 1.3)} />
        <IconButton icon="fit" label={t('map.fit')} onClick={reset} />
      </div>
      <p className={styles['legend']}>{t('map.legend')}</p>
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
      <path d={path} fill="none" style={{ stroke: tone, strokeWidth: width }} />
      <path d={`M${last.x} ${last.y}l${-size * back} ${-size * 0.55}v${size * 1.1}z`} style={{ fill: tone }} />
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

function EdgeLabel({ edge, points, atTarget }: { edge: MapEdge; points: readonly Point[]; atTarget: boolean }) {
  const [first, last] = [points[0], points.at(-1)];
  if (!first || !last) return null;
  const [near, next] = atTarget ? [points.at(-2) ?? first, last] : [first, points[1] ?? last];
  // A piece that ends at a waypoint runs on under the column of nodes; the gap between columns is what counts.
  const place = points.length === 2 ? 0.57 : 0.66;
  const middle = along(near, next, atTarget ? place : 1 - place);
  return (
    <text
      x={middle.x}
      y={middle.y - 4}
      textAnchor="middle"
      className={styles['edgeLabel']}
      data-tone={edge.share >= 0.05 ? 'error' : edge.share >= 0.01 ? 'warn' : undefined}
    >
      {edge.p95 === null ? '–' : duration(edge.p95)}
      {edge.share >= 0.001 ? ` · ${percent(edge.share)}` : ''}
    </text>
  );
}

/** Lines run from the right edge of the caller to the left edge of the callee; a loop bows under its node. */
function trim(points: readonly Point[]): Point[] {
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
