// Keyboard: single keys and `g x` sequences, never while the user types or holds a modifier.

import { useEffect, useRef } from 'react';

export type KeyMap = Record<string, (event: KeyboardEvent) => void>;

const SEQUENCE_MS = 1200;

export function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(target.tagName);
}

/** Turns key presses into names of a key map: `j`, `Enter`, `g t`. One pending `g` at a time. */
export function keyReader(now: () => number): (key: string, map: KeyMap) => string | null {
  let pendingUntil = -1;
  return (key, map) => {
    if (now() < pendingUntil) {
      pendingUntil = -1;
      const sequence = `g ${key}`;
      if (sequence in map) return sequence;
    }
    if (key === 'g' && Object.keys(map).some((name) => name.startsWith('g '))) {
      pendingUntil = now() + SEQUENCE_MS;
      return null;
    }
    return key in map ? key : null;
  };
}

/** Binds keys while the component is mounted. */
export function useKeys(map: KeyMap): void {
  const latest = useRef(map);
  latest.current = map;
  useEffect(() => {
    const read = keyReader(() => performance.now());
    const onKey = (event: KeyboardEvent): void => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      if (document.querySelector('dialog[open]')) return;
      const name = read(event.key, latest.current);
      if (name === null) return;
      // Enter and Space on a focused control belong to that control.
      if (event.key === 'Enter' && event.target instanceof HTMLElement && event.target.closest('a,button,summary')) return;
      event.preventDefault();
      latest.current[name]?.(event);
    };
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  }, []);
}
