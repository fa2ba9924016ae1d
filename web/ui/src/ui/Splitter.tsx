// A vertical bar that sets the width of the panel to its right; arrows work too.

import { useCallback, type KeyboardEvent, type PointerEvent } from 'react';
import { clamp } from '../lib/scale';
import styles from './ui.module.css';

interface SplitterProps {
  label: string;
  width: number;
  min: number;
  max: number;
  onWidth: (width: number) => void;
  /** Which side of the bar the sized panel lies on. */
  side?: 'left' | 'right';
}

export function Splitter({ label, width, min, max, onWidth, side = 'right' }: SplitterProps) {
  const sign = side === 'right' ? -1 : 1;
  const onPointerDown = useCallback(
    (event: PointerEvent<HTMLDivElement>) => {
      const start = event.clientX;
      const bar = event.currentTarget;
      bar.setPointerCapture(event.pointerId);
      const move = (next: globalThis.PointerEvent): void => onWidth(clamp(width + sign * (next.clientX - start), min, max));
      const up = (): void => bar.removeEventListener('pointermove', move);
      bar.addEventListener('pointermove', move);
      bar.addEventListener('pointerup', up, { once: true });
      bar.addEventListener('pointercancel', up, { once: true });
    },
    [width, min, max, sign, onWidth],
  );
  const onKeyDown = (event: KeyboardEvent): void => {
    const step = event.key === 'ArrowLeft' ? -16 : event.key === 'ArrowRight' ? 16 : 0;
    if (step === 0) return;
    event.preventDefault();
    event.stopPropagation();
    onWidth(clamp(width + sign * step, min, max));
  };
  return (
    <div
      className={styles['splitter']}
      role="separator"
      aria-orientation="vertical"
      aria-label={label}
      aria-valuenow={Math.round(width)}
      aria-valuemin={min}
      aria-valuemax={Math.round(max)}
      tabIndex={0}
      onPointerDown={onPointerDown}
      onKeyDown={onKeyDown}
    />
  );
}
