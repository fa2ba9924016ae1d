// Records over time, stacked by severity. Dragging zooms; the legend filters.

import { useRef, useState } from 'react';
import type { Histogram } from '../../api/types';
import { useT } from '../../i18n';
import { compact, count } from '../../lib/format';
import { clamp, linear } from '../../lib/scale';
import { clock, fromMs, timeTicks, toMs } from '../../lib/time';
import { useSize } from '../../lib/use-size';
import { SEVERITY_ORDER, severityVar } from '../../parts/severity';
import { useDrag } from '../../viz/use-drag';
import viz from '../../viz/viz.module.css';
import styles from './logs.module.css';

interface SeverityHistogramProps {
  data: Histogram;
  stale: boolean;
  onZoom: (from: bigint, to: bigint) => void;
  onSeverity: (severity: string) => void;
}

const LEFT = 52;
const RIGHT = 16;
const BOTTOM = 18;

export function SeverityHistogram({ data, stale, onZoom, onSeverity }: SeverityHistogramProps) {
  const t = useT();
  const host = useRef<HTMLDivElement>(null);
  const { width, height } = useSize(host);
  const [hover, setHover] = useState<number | null>(null);
  const from = toMs(data.from_ns);
  const step = Number(data.step_ns) / 1e6;
  const buckets = Math.max(1, ...data.series.map((series) => series.counts.length));
  const series = [...data.series].sort((a, b) => SEVERITY_ORDER.indexOf(b.severity as never) - SEVERITY_ORDER.indexOf(a.severity as never));
  const sums = Array.from({ length: buckets }, (_, index) => series.reduce((sum, item) => sum + (item.counts[index] ?? 0), 0));
  const most = Math.max(1, ...sums);
  const x = linear([from, from + step * buckets], [LEFT, width - RIGHT]);
  const y = linear([0, most], [height - BOTTOM, 8]);
  const drag = useDrag(
    (box) => {
      const [a, b] = [x.invert(clamp(box.x0, LEFT, width - RIGHT)), x.invert(clamp(box.x1, LEFT, width - RIGHT))];
      if (b - a >= 1) onZoom(fromMs(a), fromMs(b));
    },
    (px) => {
      const index = Math.floor((x.invert(px) - from) / step);
      if (index >= 0 && index < buckets) onZoom(fromMs(from + index * step), fromMs(from + (index + 1) * step));
    },
  );
  return (
    <div className={styles['histogram']} data-stale={stale}>
      <div
        ref={host}
        className={styles['plot']}
        title={t('logs.histogram.hint')}
        {...drag.handlers}
        onPointerMove={(event) => {
          drag.handlers.onPointerMove(event);
          const index = Math.floor((x.invert(event.clientX - event.currentTarget.getBoundingClientRect().left) - from) / step);
          setHover(index >= 0 && index < buckets ? index : null);
        }}
        onPointerLeave={() => setHover(null)}
      >
        <svg
          className={viz['bars']}
          role="img"
          aria-label={`${t('logs.histogram')}: ${series.map((item) => `${item.severity} ${total(item.counts)}`).join(', ')}`}
        >
          {width > 0 && (
            <>
              <line className={viz['grid']} x1={LEFT} x2={width - RIGHT} y1={Math.round(y(most)) + 0.5} y2={Math.round(y(most)) + 0.5} />
              <text x={LEFT - 8} y={y(most) + 4} textAnchor="end">
                {compact(most)}
              </text>
              <text x={LEFT - 8} y={height - BOTTOM} textAnchor="end">
                0
              </text>
              <Bars series={series} x={x} y={y} from={from} step={step} buckets={buckets} hover={hover} />
              <line className={viz['axis']} x1={LEFT} x2={width - RIGHT} y1={height - BOTTOM + 0.5} y2={height - BOTTOM + 0.5} />
              {timeTicks(from, from + step * buckets, Math.max(2, Math.floor(width / 110))).map((tick) => (
                <text key={tick.at} x={x(tick.at)} y={height - 4} textAnchor="middle">
                  {tick.label}
                </text>
              ))}
            </>
          )}
        </svg>
        {drag.box && (
          <div className={viz['selection']} style={{ left: drag.box.x0, width: drag.box.x1 - drag.box.x0, top: 0, bottom: BOTTOM }} />
        )}
        {hover !== null && !drag.box && (
          <div className={viz['tip']} style={{ left: clamp(x(from + hover * step) + 14, 0, Math.max(0, width - 190)), top: 4 }}>
            <span>{clock(fromMs(from + hover * step))}</span> <strong>{count(sums[hover] ?? 0)}</strong>
            {series.map(
              (item) =>
                (item.counts[hover] ?? 0) > 0 && (
                  <div key={item.severity}>
                    {item.severity} <span>{count(item.counts[hover] ?? 0)}</span>
                  </div>
                ),
            )}
          </div>
        )}
      </div>
      <ul className={styles['legend']}>
        {series.map((item) => (
          <li key={item.severity}>
            <button type="button" onClick={() => onSeverity(item.severity)}>
              <i style={{ background: `var(${severityVar(item.severity)})` }} />
              {item.severity}
              <span>{count(total(item.counts))}</span>
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}

interface BarsProps {
  series: Histogram['series'];
  x: (at: number) => number;
  y: (count: number) => number;
  from: number;
  step: number;
  buckets: number;
  hover: number | null;
}

/** The worst severity stands on the axis, where its height can be read. */
function Bars({ series, x, y, from, step, buckets, hover }: BarsProps) {
  const base = Array.from({ length: buckets }, () => 0);
  return series.map((item) =>
    item.counts.map((value, index) => {
      if (value === 0) return null;
      const below = base[index] ?? 0;
      base[index] = below + value;
      const left = x(from + index * step);
      const top = y(below + value);
      return (
        <rect
          key={`${item.severity} ${index}`}
          x={left + 0.5}
          width={Math.max(1, x(from + (index + 1) * step) - left - 1)}
          y={top}
          height={Math.max(0.5, y(below) - top)}
          opacity={hover === null || hover === index ? 1 : 0.55}
          style={{ fill: `var(${severityVar(item.severity)})` }}
        />
      );
    }),
  );
}

function total(counts: readonly number[]): number {
  return counts.reduce((sum, value) => sum + value, 0);
}
