// Time × log-duration: layout and drawing of the points, and which point is under the pointer.

import { duration } from '../lib/format';
import { linear, log, logTicks, type Scale } from '../lib/scale';
import { color } from '../lib/theme';
import { timeTicks } from '../lib/time';
import type { Size } from '../lib/use-size';

export interface Point {
  id: string;
  /** ms since the epoch. */
  at: number;
  /** ns. */
  duration: number;
  error: boolean;
  spans: number;
}

export const MARGIN = { left: 62, right: 14, top: 10, bottom: 22 };

export interface ScatterScales {
  x: Scale;
  y: Scale;
  domain: readonly [number, number];
}

export function scales(points: readonly Point[], range: readonly [number, number], size: Size): ScatterScales {
  let low = Infinity;
  let high = 0;
  for (const point of points) {
    low = Math.min(low, point.duration);
    high = Math.max(high, point.duration);
  }
  if (high === 0) [low, high] = [1e6, 1e9];
  const domain = [Math.max(1, low / 1.6), Math.max(high * 1.6, low * 10)] as const;
  return {
    x: linear(range, [MARGIN.left, size.width - MARGIN.right]),
    y: log(domain, [size.height - MARGIN.bottom, MARGIN.top]),
    domain,
  };
}

export function radius(spans: number): number {
  return Math.min(7, 2.2 + Math.log10(Math.max(1, spans)) * 1.1);
}

export function drawScatter(
  context: CanvasRenderingContext2D,
  size: Size,
  points: readonly Point[],
  range: readonly [number, number],
  active: string | null,
  unloaded: { until: number; label: string } | null,
): void {
  const { x, y, domain } = scales(points, range, size);
  drawAxes(context, size, x, y, domain, range);
  if (unloaded) drawUnloaded(context, size, x(unloaded.until), unloaded.label);
  // Errors last, so that nothing hides them.
  for (const point of [...points.filter((item) => !item.error), ...points.filter((item) => item.error)]) {
    const [px, py, r] = [x(point.at), y(point.duration), radius(point.spans)];
    context.globalAlpha = point.error ? 0.9 : 0.55;
    context.fillStyle = color(point.error ? '--error' : '--accent');
    context.beginPath();
    if (point.error) {
      // Another shape as well as another colour.
      context.moveTo(px, py - r - 1.5);
      context.lineTo(px + r + 1.5, py + r);
      context.lineTo(px - r - 1.5, py + r);
      context.closePath();
    } else context.arc(px, py, r, 0, 2 * Math.PI);
    context.fill();
    if (point.id === active) {
      context.globalAlpha = 1;
      context.strokeStyle = color('--text');
      context.lineWidth = 1.5;
      context.beginPath();
      context.arc(px, py, r + 3, 0, 2 * Math.PI);
      context.stroke();
    }
  }
  context.globalAlpha = 1;
}

function drawAxes(
  context: CanvasRenderingContext2D,
  size: Size,
  x: Scale,
  y: Scale,
  domain: readonly [number, number],
  range: readonly [number, number],
): void {
  context.font = `11px ${getComputedStyle(document.body).fontFamily}`;
  context.fillStyle = color('--muted');
  context.strokeStyle = color('--rule');
  context.lineWidth = 1;
  context.textAlign = 'right';
  context.textBaseline = 'middle';
  for (const tick of logTicks(domain[0], domain[1])) {
    const py = Math.round(y(tick)) + 0.5;
    line(context, MARGIN.left, py, size.width - MARGIN.right, py);
    context.fillText(tickLabel(tick), MARGIN.left - 8, py);
  }
  context.textAlign = 'center';
  context.textBaseline = 'alphabetic';
  for (const tick of timeTicks(range[0], range[1], Math.max(2, Math.floor(size.width / 110)))) {
    const px = Math.round(x(tick.at)) + 0.5;
    line(context, px, size.height - MARGIN.bottom, px, size.height - MARGIN.bottom + 4);
    context.fillText(tick.label, px, size.height - 6);
  }
  context.strokeStyle = color('--rule-strong');
  line(context, MARGIN.left, size.height - MARGIN.bottom + 0.5, size.width - MARGIN.right, size.height - MARGIN.bottom + 0.5);
}

/** `10 ms`, `100 s`: round values without idle digits. */
function tickLabel(ns: number): string {
  return ns >= 6e10 && ns < 1e12 ? `${ns / 1e9} s` : duration(ns).replace(/\.0+(?= )/, '');
}

/** Marks the older part of the range, of which no page has been fetched yet. */
function drawUnloaded(context: CanvasRenderingContext2D, size: Size, until: number, label: string): void {
  const width = until - MARGIN.left;
  if (width < 8) return;
  context.fillStyle = color('--sunken');
  context.fillRect(MARGIN.left, MARGIN.top - 6, width, size.height - MARGIN.bottom - MARGIN.top + 6);
  context.fillStyle = color('--muted');
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  if (context.measureText(label).width < width - 16) context.fillText(label, MARGIN.left + width / 2, (size.height - MARGIN.bottom) / 2);
}

function line(context: CanvasRenderingContext2D, x0: number, y0: number, x1: number, y1: number): void {
  context.beginPath();
  context.moveTo(x0, y0);
  context.lineTo(x1, y1);
  context.stroke();
}

/** The nearest point within reach of the pointer. */
export function nearest(points: readonly Point[], at: ScatterScales, px: number, py: number): Point | null {
  let best: Point | null = null;
  let least = 12 ** 2;
  for (const point of points) {
    const distance = (at.x(point.at) - px) ** 2 + (at.y(point.duration) - py) ** 2;
    if (distance < least) {
      least = distance;
      best = point;
    }
  }
  return best;
}
