// The whole URL space of the UI. Jaeger's trace links work too.

import type { Key } from './i18n';
import type { IconName } from './ui/Icon';

export const paths = {
  traces: '/traces',
  trace: '/traces/:id',
  jaegerTrace: '/trace/:id',
  logs: '/logs',
  map: '/map',
  services: '/services',
  service: '/services/:id',
  governance: '/governance',
  sql: '/sql',
} as const;

export interface RailEntry {
  path: string;
  label: Key;
  icon: IconName;
  /** Second key of the `g` sequence. */
  key: string;
  /** The chosen environment goes along. */
  env?: true;
}

export const rail: readonly RailEntry[] = [
  { path: paths.traces, label: 'nav.traces', icon: 'traces', key: 't' },
  { path: paths.logs, label: 'nav.logs', icon: 'logs', key: 'l' },
  { path: paths.map, label: 'nav.map', icon: 'map', key: 'm', env: true },
  { path: paths.services, label: 'nav.services', icon: 'services', key: 's', env: true },
  { path: paths.governance, label: 'nav.governance', icon: 'governance', key: 'v', env: true },
  { path: paths.sql, label: 'nav.sql', icon: 'sql', key: 'q' },
];

/** A trace, opened at a span of it. */
export function tracePath(id: string, span?: string | null): string {
  return `/traces/${encodeURIComponent(id)}${span ? `?s=${span}` : ''}`;
}

export function servicePath(id: string): string {
  return `/services/${encodeURIComponent(id)}`;
}

/** The service that an address names. The router undoes a part of the escapes, so the address bar is asked; null where it is malformed. */
export function serviceOf(pathname: string): string | null {
  try {
    return decodeURIComponent(pathname.slice(paths.services.length + 1));
  } catch {
    return null;
  }
}
