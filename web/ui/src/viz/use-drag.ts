// Dragging a box over a chart, in pixels of the chart. A press that hardly moves is a click.

import { useCallback, useRef, useState, type PointerEvent } from 'react';

export interface Box {
  x0: number;
  y0: number;
  x1: number;
  y1: number;
}

const CLICK_PX = 4;

interface Drag {
  box: Box | null;
  handlers: {
    onPointerDown: (event: PointerEvent<Element>) => void;
    onPointerMove: (event: PointerEvent<Element>) => void;
    onPointerUp: (event: PointerEvent<Element>) => void;
    onPointerCancel: () => void;
  };
}

export function useDrag(onBox: (box: Box) => void, onClick: (x: number, y: number) => void): Drag {
  const [box, setBox] = useState<Box | null>(null);
  const start = useRef<{ x: number; y: number } | null>(null);
  const at = (event: PointerEvent<Element>): { x: number; y: number } => {
    const bounds = event.currentTarget.getBoundingClientRect();
    return { x: event.clientX - bounds.left, y: event.clientY - bounds.top };
  };
  const onPointerDown = useCallback((event: PointerEvent<Element>) => {
    if (event.button !== 0) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    start.current = at(event);
  }, []);
  const onPointerMove = useCallback((event: PointerEvent<Element>) => {
    const from = start.current;
    if (!from) return;
    const to = at(event);
    setBox({ x0: Math.min(from.x, to.x), y0: Math.min(from.y, to.y), x1: Math.max(from.x, to.x), y1: Math.max(from.y, to.y) });
  }, []);
  const onPointerUp = (event: PointerEvent<Element>): void => {
    const from = start.current;
    start.current = null;
    setBox(null);
    if (!from) return;
    const to = at(event);
    const moved = Math.max(Math.abs(to.x - from.x), Math.abs(to.y - from.y));
    if (moved < CLICK_PX) onClick(to.x, to.y);
    else onBox({ x0: Math.min(from.x, to.x), y0: Math.min(from.y, to.y), x1: Math.max(from.x, to.x), y1: Math.max(from.y, to.y) });
  };
  const onPointerCancel = useCallback(() => {
    start.current = null;
    setBox(null);
  }, []);
  return { box, handlers: { onPointerDown, onPointerMove, onPointerUp, onPointerCancel } };
}
