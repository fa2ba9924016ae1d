// A canvas that fills its box, sharp on every screen, redrawn when its size, its drawing or the colours change.

import { useEffect, useRef, type CanvasHTMLAttributes } from 'react';
import { useThemeVersion } from '../lib/theme';
import { useSize, type Size } from '../lib/use-size';
import styles from './viz.module.css';

export type Draw = (context: CanvasRenderingContext2D, size: Size) => void;

interface CanvasProps extends Omit<CanvasHTMLAttributes<HTMLCanvasElement>, 'children'> {
  /** Must keep its identity while nothing changes (useCallback). */
  draw: Draw;
  label: string;
}

export function Canvas({ draw, label, ...rest }: CanvasProps) {
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const size = useSize(box);
  const theme = useThemeVersion();
  useEffect(() => {
    const element = canvas.current;
    const context = element?.getContext('2d');
    if (!element || !context || size.width === 0 || size.height === 0) return undefined;
    const frame = requestAnimationFrame(() => {
      const ratio = window.devicePixelRatio || 1;
      element.width = Math.round(size.width * ratio);
      element.height = Math.round(size.height * ratio);
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      context.clearRect(0, 0, size.width, size.height);
      draw(context, size);
    });
    return () => cancelAnimationFrame(frame);
  }, [draw, size, theme]);
  return (
    <div ref={box} className={styles['canvasBox']}>
      <canvas ref={canvas} className={styles['canvas']} role="img" aria-label={label} {...rest} />
    </div>
  );
}
