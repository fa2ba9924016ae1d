// Light, dark or as the system says. Canvases ask here for resolved colours.

import { useSyncExternalStore } from 'react';
import { read, write } from './stored';

export type Theme = 'system' | 'light' | 'dark';

const listeners = new Set<() => void>();
let theme: Theme = parse(read('theme'));
let version = 0;
let resolved = new Map<string, string>();

function parse(raw: string | null): Theme {
  return raw === 'light' || raw === 'dark' ? raw : 'system';
}

export function applyTheme(): void {
  if (theme === 'system') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = theme;
  changed();
}

export function watchSystemTheme(): void {
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', changed);
}

export function setTheme(next: Theme): void {
  theme = next;
  write('theme', next);
  applyTheme();
}

function changed(): void {
  version += 1;
  resolved = new Map();
  for (const listener of listeners) listener();
}

const subscribe = (listener: () => void): (() => void) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

export function useTheme(): Theme {
  return useSyncExternalStore(subscribe, () => theme);
}

/** Grows with every change of colours: a canvas redraws when it does. */
export function useThemeVersion(): number {
  return useSyncExternalStore(subscribe, () => version);
}

/** The colour behind a token, e.g. `--error`, as a canvas understands it. */
export function color(token: string): string {
  const known = resolved.get(token);
  if (known !== undefined) return known;
  const probe = document.createElement('span');
  probe.style.color = `var(${token})`;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  resolved.set(token, value);
  return value;
}
