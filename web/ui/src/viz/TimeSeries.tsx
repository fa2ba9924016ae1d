// Lines or stacked bars over time, with markers of events and dots that open traces. Charts of a page share their crosshair.

import { useRef, type ReactNode } from 'react';
import { clamp, linear, type Scale } from '../lib/scale';
import { clock, fromMs, timeTicks } from '../lib/time';
import { useSize } from '../lib/use-size';
import { highest, linePath, roundUp, stack, sums, type Values } from './timeseries';
import { useDrag } from './use-drag';
import styles from './viz.module.css';

export interface Series {
  name: string;
  values: Values;
  /** A colour of CSS. */
  color: string;
}

export interface Marker {
  /** ms since the epoch. */
  at: number;
  label: string;
}

export interface Dot {
  at: number;
  /** null: its height is not known, it stands at the top. */
  value: number | null;
  error: boolean;
  href: string;
  title: string;
}

interface TimeSeriesProps {
  label: string;
  /** ms since the epoch. */
  from: number;
  step: number;
  steps: number;
  kind: 'lines' | 'bars';
  series: readonly Series[];
  format: (value: number) => string;
  /** The scale reaches at least this. */
  least?: number;
  /** Values are counts: no tick between two of them. */
  whole?: boolean;
  markers?: readonly Marker[];
  dots?: readonly Dot[];
  hover: number | null;
  onHover: (index: number | null) => void;
  onZoom: (from: number, to: number) => void;
  onOpen?: (href: string) => void;
  empty?: ReactNode;
}

export const LEFT = 54;
export const RIGHT = 12;
const TOP = 14;
const BOTTOM = 18;

export function TimeSeries(props: TimeSeriesProps) {
  const { from, step, steps, series, kind, hover, onHover, onZoom, format } = props;
  const host = useRef<HTMLDivElement>(null);
  const { width, height } = useSize(host);
  const x = linear([0, Math.max(1, steps)], [LEFT, Math.max(LEFT + 1, width - RIGHT)]);
  const dotted = Math.max(0, ...(props.dots ?? []).map((dot) => dot.value ?? 0));
  const tallest =
    kind === 'bars' ? highest([sums(series.map((item) => item.values))]) : Math.max(highest(series.map((item) => item.values)), dotted);
  const reach = roundUp(Math.max(tallest, props.least ?? 0));
  const most = props.whole ? Math.ceil(reach / 2) * 2 : reach;
  const y = linear([0, most], [height - BOTTOM, TOP]);
  const inside = (px: number): number => clamp(x.invert(px), 0, steps);
  const drag = useDrag(
    (box) => onZoom(from + inside(box.x0) * step, from + inside(box.x1) * step),
    () => {},
  );
  return (
    <div
      ref={host}
      className={styles['series']}
      {...drag.handlers}
      onPointerMove={(event) => {
        drag.handlers.onPointerMove(event);
        const index = Math.floor(x.invert(event.clientX - event.currentTarget.getBoundingClientRect().left));
        onHover(index >= 0 && index < steps ? index : null);
      }}
      onPointerLeave={() => onHover(null)}
    >
      <svg className={styles['bars']} role="img" aria-label={`${props.label}: ${series.map((item) => item.name).join(', ')}`}>
        {width > 0 && (
          <>
            <Frame {...{ x, y, most, width, height, from, step, steps, format }} />
            {kind === 'bars' ? <Stacks series={series} x={x} y={y} hover={hover} /> : <Lines series={series} x={x} y={y} />}
            {props.markers?.map((marker) => (
              <MarkerLine
                key={`${marker.at} ${marker.label}`}
                marker={marker}
                px={x((marker.at - from) / step)}
                width={width}
                height={height}
              />
            ))}
            {hover !== null && <line className={styles['cross']} x1={x(hover + 0.5)} x2={x(hover + 0.5)} y1={TOP} y2={height - BOTTOM} />}
          </>
        )}
      </svg>
      {width > 0 &&
        props.dots?.map((dot) => (
          <a
            key={`${dot.href} ${dot.at}`}
            className={styles['dot']}
            data-error={dot.error}
            href={dot.href}
            title={dot.title}
            aria-label={dot.title}
            style={{ left: x((dot.at - from) / step), top: dot.value === null ? TOP : y(dot.value) }}
            onPointerDown={(event) => event.stopPropagation()}
            onClick={(event) => {
              if (event.ctrlKey || event.metaKey || event.shiftKey) return;
              event.preventDefault();
              props.onOpen?.(dot.href);
            }}
          />
        ))}
      {tallest === 0 && props.empty && <p className={styles['seriesEmpty']}>{props.empty}</p>}
      {drag.box && (
        <div className={styles['selection']} style={{ left: drag.box.x0, width: drag.box.x1 - drag.box.x0, top: TOP, bottom: BOTTOM }} />
      )}
      {hover !== null && !drag.box && width > 0 && <Tip {...{ series, hover, from, step, format }} left={x(hover + 0.5)} width={width} />}
    </div>
  );
}

interface FrameProps {
  x: Scale;
  y: Scale;
  most: number;
  width: number;
  height: number;
  from: number;
  step: number;
  steps: number;
  format: (value: number) => string;
}

function Frame({ x, y, most, width, height, from, step, steps, format }: FrameProps) {
  return (
    <>
      {[0, most / 2, most].map((tick) => (
        <g key={tick}>
          <line
            className={tick === 0 ? styles['axis'] : styles['grid']}
            x1={LEFT}
            x2={width - RIGHT}
            y1={Math.round(y(tick)) + 0.5}
            y2={Math.round(y(tick)) + 0.5}
          />
          <text x={LEFT - 7} y={y(tick) + 4} textAnchor="end">
            {tick === 0 ? '0' : format(tick)}
          </text>
        </g>
      ))}
      {timeTicks(from, from + step * steps, Math.max(2, Math.floor(width / 84))).map((tick) => {
        const px = x((tick.at - from) / step);
        return px > width - RIGHT - 14 || px < LEFT + 10 ? null : (
          <text key={tick.at} x={px} y={height - 4} textAnchor="middle">
            {tick.label}
          </text>
        );
      })}
    </>
  );
}

function Lines({ series, x, y }: { series: readonly Series[]; x: Scale; y: Scale }) {
  return series.map((item) => (
    <path key={item.name} d={linePath(item.values, x, y)} className={styles['line']} style={{ stroke: item.color }} />
  ));
}

function Stacks({ series, x, y, hover }: { series: readonly Series[]; x: Scale; y: Scale; hover: number | null }) {
  return stack(series.map((item) => item.values)).map((bounds, row) =>
    bounds.map(({ low, high }, at) =>
      high === low ? null : (
        <rect
          key={`${row} ${at}`}
          x={x(at) + 0.25}
          width={Math.max(0.75, x(at + 1) - x(at) - (x(1) - x(0) > 4 ? 1 : 0.25))}
          y={y(high)}
          height={Math.max(0.6, y(low) - y(high))}
          opacity={hover === null || hover === at ? 1 : 0.6}
          style={{ fill: series[row]?.color }}
        />
      ),
    ),
  );
}

function MarkerLine({ marker, px, width, height }: { marker: Marker; px: number; width: number; height: number }) {
  if (px < LEFT || px > width - RIGHT) return null;
  const late = px > width - 90;
  return (
    <g className={styles['marker']}>
      <line x1={px} x2={px} y1={3} y2={height - BOTTOM} />
      <path d={`M${px - 3.5} 2h7l-3.500 5z`} />
      <text x={late ? px - 6 : px + 6} y={10} textAnchor={late ? 'end' : 'start'}>
        {marker.label}
      </text>
    </g>
  );
}

interface TipProps {
  series: readonly Series[];
  hover: number;
  from: number;
  step: number;
  format: (value: number) => string;
  left: number;
  width: number;
}

function Tip({ series, hover, from, step, format, left, width }: TipProps) {
  const shown = series.filter(
    (item) => item.values[hover] !== null && item.values[hover] !== undefined && (series.length < 5 || item.values[hover] !== 0),
  );
  const flip = left > width - 170;
  return (
    <div className={styles['tip']} style={{ ...(flip ? { right: width - left + 10 } : { left: left + 10 }), top: 2 }}>
      <span>{clock(fromMs(from + hover * step)).slice(0, 8)}</span>
      {shown.map((item) => (
        <div key={item.name}>
          <i className={styles['key']} style={{ background: item.color }} /> {item.name} <strong>{format(item.values[hover] ?? 0)}</strong>
        </div>
      ))}
    </div>
  );
}
