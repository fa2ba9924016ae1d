// Widths of panels and columns.

import { useCallback, useState } from 'react';
import { read, write } from './stored';

/** A width the user sets once and finds again. */
export function useStoredWidth(name: string, fallback: number): readonly [number, (width: number) => void] {
  const [width, setWidth] = useState(() => Number(read(`width.${name}`)) || fallback);
  const set = useCallback(
    (next: number) => {
      write(`width.${name}`, String(Math.round(next)));
      setWidth(next);
    },
    [name],
  );
  return [width, set];
}
