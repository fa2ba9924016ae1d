// The scatter with its tooltip, its click and its drag.

import { useCallback, useRef, useState } from 'react';
import type { TraceSummary } from '../../api/types';
import { useT } from '../../i18n';
import { duration } from '../../lib/format';
import { clamp } from '../../lib/scale';
import { clock } from '../../lib/time';
import { useSize, type Size } from '../../lib/use-size';
import { Canvas } from '../../viz/Canvas';
import { drawScatter, MARGIN, nearest, scales, type Point } from '../../viz/scatter';
import { useDrag, type Box } from '../../viz/use-drag';
import viz from '../../viz/viz.module.css';
import styles from './traces.module.css';

interface ScatterProps {
  points: readonly Point[];
  traces: readonly TraceSummary[];
  /** ms since the epoch. */
  range: readonly [number, number];
  /** Older traces exist than those given. */
  partial: boolean;
  onOpen: (id: string) => void;
  onBox: (from: number, to: number, low: number, high: number) => void;
}

export function Scatter({ points, traces, range, partial, onOpen, onBox }: ScatterProps) {
  const t = useT();
  const host = useRef<HTMLDivElement>(null);
  const size = useSize(host);
  const [hover, setHover] = useState<{ point: Point; x: number; y: number } | null>(null);
  const [from, to] = range;
  const active = hover?.point.id ?? null;
  const label = t('traces.scatter.unloaded');
  const draw = useCallback(
    (context: CanvasRenderingContext2D, box: Size) => {
      const oldest = points.reduce((least, point) => Math.min(least, point.at), to);
      drawScatter(context, box, points, [from, to], active, partial ? { until: oldest, label } : null);
    },
    [points, from, to, active, partial, label],
  );
  const at = scales(points, range, size);
  const drag = useDrag(
    (box: Box) => {
      const [x0, x1] = [clamp(box.x0, MARGIN.left, size.width - MARGIN.right), clamp(box.x1, MARGIN.left, size.width - MARGIN.right)];
      if (x1 > x0)
        onBox(
          at.x.invert(x0),
          at.x.invert(x1),
          at.y.invert(Math.min(box.y1, size.height - MARGIN.bottom)),
          at.y.invert(Math.max(box.y0, MARGIN.top)),
        );
    },
    (x, y) => {
      const point = nearest(points, at, x, y);
      if (point) onOpen(point.id);
    },
  );
  const trace = active === null ? undefined : traces.find((item) => item.trace_id === active);
  return (
    <div className={styles['scatter']}>
      <div
        ref={host}
        className={viz['chart']}
        style={{ cursor: hover ? 'pointer' : 'crosshair' }}
        {...drag.handlers}
        onPointerMove={(event) => {
          drag.handlers.onPointerMove(event);
          const bounds = event.currentTarget.getBoundingClientRect();
          const [x, y] = [event.clientX - bounds.left, event.clientY - bounds.top];
          const point = drag.box ? null : nearest(points, at, x, y);
          setHover(point ? { point, x, y } : null);
        }}
        onPointerLeave={() => setHover(null)}
      >
        <Canvas draw={draw} label={`${t('traces.scatter')}. ${t('traces.scatter.table')}`} />
        {drag.box && (
          <div
            className={viz['selection']}
            style={{ left: drag.box.x0, top: drag.box.y0, width: drag.box.x1 - drag.box.x0, height: drag.box.y1 - drag.box.y0 }}
          />
        )}
        {hover && trace && (
          <div
            className={viz['tip']}
            style={{
              left: Math.min(hover.x + 14, Math.max(0, size.width - 300)),
              top: hover.y > size.height / 2 ? hover.y - 62 : hover.y + 14,
            }}
          >
            <strong>{trace.root_service}</strong> {trace.root_name}
            <br />
            {duration(trace.duration_ns)}{' '}
            <span>
              · {clock(trace.start_ns)} · {trace.span_count} {t('traces.spans').toLowerCase()}
            </span>
          </div>
        )}
      </div>
      <p className={styles['scatterHint']}>{t('traces.scatter.hint')}</p>
    </div>
  );
}
