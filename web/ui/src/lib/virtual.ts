// Which rows of a scrolling list are on screen, redrawn at most once a frame.

import { useCallback, useEffect, useState, type RefObject } from 'react';

/** Scroll position and height of the viewport. */
export function useScroll(ref: RefObject<HTMLElement | null>): { top: number; height: number } {
  const [state, setState] = useState({ top: 0, height: 800 });
  const update = useCallback(() => {
    const element = ref.current;
    if (element)
      setState((old) =>
        old.top === element.scrollTop && old.height === element.clientHeight
          ? old
          : { top: element.scrollTop, height: element.clientHeight },
      );
  }, [ref]);
  useEffect(() => {
    const element = ref.current;
    if (!element) return undefined;
    let frame = 0;
    const onScroll = (): void => {
      if (frame === 0) frame = requestAnimationFrame(() => ((frame = 0), update()));
    };
    update();
    element.addEventListener('scroll', onScroll, { passive: true });
    const observer = new ResizeObserver(onScroll);
    observer.observe(element);
    return () => {
      cancelAnimationFrame(frame);
      element.removeEventListener('scroll', onScroll);
      observer.disconnect();
    };
  }, [ref, update]);
  return state;
}

/** Scrolls the least that shows the row, keeping a margin of rows around it. */
export function revealRow(element: HTMLElement | null, row: number, rowHeight: number, header = 0): void {
  if (!element) return;
  const top = row * rowHeight;
  const margin = rowHeight * 2;
  const view = element.clientHeight - header;
  if (top - margin < element.scrollTop) element.scrollTop = top - margin;
  else if (top + rowHeight + margin > element.scrollTop + view) element.scrollTop = top + rowHeight + margin - view;
}
