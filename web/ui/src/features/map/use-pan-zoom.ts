// Panning by drag, zooming by wheel around the pointer, and fitting a drawing into its box.

import { useCallback, useEffect, useRef, useState, type PointerEvent, type RefObject } from 'react';
import { clamp } from '../../lib/scale';
import type { Size } from '../../lib/use-size';

export interface Transform {
  x: number;
  y: number;
  k: number;
}

const MIN = 0.1;
const MAX = 2.5;
const PADDING = 36;

export function fit(content: Size, box: Size): Transform {
  if (content.width === 0 || box.width === 0) return { x: 0, y: 0, k: 1 };
  const k = clamp(Math.min((box.width - PADDING * 2) / content.width, (box.height - PADDING * 2) / content.height), MIN, 1.15);
  return { k, x: (box.width - content.width * k) / 2, y: (box.height - content.height * k) / 2 };
}

export function usePanZoom(host: RefObject<HTMLElement | null>, content: Size, box: Size) {
  // null: follow the size of the box.
  const [own, setOwn] = useState<Transform | null>(null);
  const transform = own ?? fit(content, box);
  const current = useRef(transform);
  current.current = transform;
  const zoomAt = useCallback((factor: number, px: number, py: number) => {
    const old = current.current;
    const k = clamp(old.k * factor, MIN, MAX);
    setOwn({ k, x: px - ((px - old.x) / old.k) * k, y: py - ((py - old.y) / old.k) * k });
  }, []);
  useEffect(() => {
    const element = host.current;
    if (!element) return undefined;
    // React listens to wheels passively; this one must keep the page from scrolling.
    const onWheel = (event: WheelEvent): void => {
      event.preventDefault();
      const bounds = element.getBoundingClientRect();
      zoomAt(Math.exp(-event.deltaY * (event.deltaMode === 1 ? 0.05 : 0.0018)), event.clientX - bounds.left, event.clientY - bounds.top);
    };
    element.addEventListener('wheel', onWheel, { passive: false });
    return () => element.removeEventListener('wheel', onWheel);
  }, [host, zoomAt]);
  const onPointerDown = useCallback((event: PointerEvent<Element>) => {
    if (event.button !== 0 || (event.target as Element).closest('[data-hit]')) return;
    const element = event.currentTarget;
    const [startX, startY, old] = [event.clientX, event.clientY, current.current];
    element.setPointerCapture(event.pointerId);
    const move = (next: Event): void => {
      const { clientX, clientY } = next as globalThis.PointerEvent;
      setOwn({ ...old, x: old.x + clientX - startX, y: old.y + clientY - startY });
    };
    const up = (): void => element.removeEventListener('pointermove', move);
    element.addEventListener('pointermove', move);
    element.addEventListener('pointerup', up, { once: true });
    element.addEventListener('pointercancel', up, { once: true });
  }, []);
  const zoomBy = useCallback((factor: number) => zoomAt(factor, box.width / 2, box.height / 2), [zoomAt, box.width, box.height]);
  return { transform, onPointerDown, zoomBy, reset: useCallback(() => setOwn(null), []) };
}
