// The whole trace in 56 pixels, with the zoomed part marked; drag to zoom.

import { useCallback, useRef } from 'react';
import { useT } from '../../i18n';
import { color } from '../../lib/theme';
import { useSize, type Size } from '../../lib/use-size';
import { Canvas } from '../../viz/Canvas';
import { useDrag } from '../../viz/use-drag';
import viz from '../../viz/viz.module.css';
import { STATUS_ERROR, type TraceModel } from './model';
import type { View } from './state';
import styles from './trace.module.css';

interface MinimapProps {
  model: TraceModel;
  view: View;
  total: number;
  onZoom: (from: number, to: number) => void;
}

export function Minimap({ model, view, total, onZoom }: MinimapProps) {
  const t = useT();
  const host = useRef<HTMLDivElement>(null);
  const { width } = useSize(host);
  const draw = useCallback((context: CanvasRenderingContext2D, size: Size) => drawMinimap(context, size, model, total), [model, total]);
  const at = (x: number): number => (x / Math.max(1, width)) * total;
  const drag = useDrag(
    (box) => onZoom(at(box.x0), at(box.x1)),
    (x) => {
      // A click moves the zoomed part there.
      const half = (view[1] - view[0]) / 2;
      if (half * 2 < total) onZoom(at(x) - half, at(x) + half);
    },
  );
  const [left, right] = [(view[0] / total) * 100, (view[1] / total) * 100];
  return (
    <div ref={host} className={styles['minimap']} onDoubleClick={() => onZoom(0, total)} {...drag.handlers}>
      <Canvas draw={draw} label={t('trace.minimap')} />
      <div className={styles['shade']} style={{ left: 0, width: `${left}%` }} data-edge={left > 0 ? 'right' : undefined} />
      <div className={styles['shade']} style={{ left: `${right}%`, right: 0 }} data-edge={right < 100 ? 'left' : undefined} />
      {drag.box && <div className={viz['selection']} style={{ left: drag.box.x0, width: drag.box.x1 - drag.box.x0, top: 0, bottom: 0 }} />}
    </div>
  );
}

function drawMinimap(context: CanvasRenderingContext2D, size: Size, model: TraceModel, total: number): void {
  const { skeleton, rows } = model;
  const padding = 4;
  const pitch = (size.height - padding * 2) / Math.max(1, rows);
  const thick = Math.min(4, Math.max(1, pitch * 0.7));
  const palette = skeleton.services.map((_, index) => color(`--hue-${model.hues[index] ?? 0}`));
  const error = color('--error');
  const scale = size.width / total;
  for (let row = 0; row < rows; row += 1) {
    context.fillStyle = skeleton.status[row] === STATUS_ERROR ? error : (palette[skeleton.svc[row] ?? 0] ?? error);
    const width = Math.max(1, (skeleton.dur[row] ?? 0) * scale);
    context.fillRect((skeleton.start[row] ?? 0) * scale, padding + row * pitch, width, thick);
  }
}
