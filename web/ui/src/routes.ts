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
  sql: '/sql',
} as const;

export interface RailEntry {
  path: string;
  label: Key;
  icon: IconName;
  /** Second key of the `g` sequence. */
  key: string;
}

export const rail: readonly RailEntry[] = [
  { path: paths.traces, label: 'nav.traces', icon: 'traces', key: 't' },
  { path: paths.logs, label: 'nav.logs', icon: 'logs', key: 'l' },
  { path: paths.map, label: 'nav.map', icon: 'map', key: 'm' },
  { path: paths.services, label: 'nav.services', icon: 'services', key: 's' },
  { path: paths.sql, label: 'nav.sql', icon: 'sql', key: 'q' },
];

export function tracePath(id: string): string {
  return `/traces/${encodeURIComponent(id)}`;
}
