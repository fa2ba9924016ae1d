// The inventory: which services match and in which order.

import type { Service } from '../../api/types';

export const COLUMNS = [
  'id',
  'layer',
  'findings',
  'rate',
  'error_ratio',
  'p50_ns',
  'p95_ns',
  'p99_ns',
  'outcomes',
  'instances',
  'coverage',
] as const;
export type Column = (typeof COLUMNS)[number];

export interface Filter {
  text: string;
  layer: string;
  found: boolean;
}

/** Every word must occur in something that is said of the service. */
export function matches(service: Service, filter: Filter): boolean {
  if (filter.layer !== '' && service.layer !== filter.layer) return false;
  if (filter.found && findingWeight(service) === 0) return false;
  const words = filter.text.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return true;
  const said = [
    service.id,
    service.layer ?? '',
    ...service.versions,
    ...service.languages,
    ...service.protocols,
    ...(service.namespaces ?? []),
    ...Object.keys(service.outcomes ?? {}),
  ]
    .join('\n')
    .toLowerCase();
  return words.every((word) => said.includes(word));
}

/** One critical finding outweighs any number of warnings. */
function findingWeight(service: Service): number {
  const { critical = 0, warning = 0, info = 0 } = service.findings ?? {};
  return critical * 1e8 + warning * 1e4 + info;
}

/** Refused, cut off, degraded and failed calls as a share of all. */
function outcomeShare(service: Service): number {
  const all = Object.values(service.outcomes ?? {}).reduce((sum, calls) => sum + calls, 0);
  return service.calls === 0 ? 0 : all / service.calls;
}

const LAYERS = ['gateway', 'aggregate', 'basic', 'platform', 'other'];

function value(service: Service, column: Column): number | string {
  switch (column) {
    case 'layer':
      return service.layer ? LAYERS.indexOf(service.layer) : LAYERS.length;
    case 'findings':
      return findingWeight(service);
    case 'outcomes':
      return outcomeShare(service);
    case 'coverage':
      return service.coverage?.paired ?? 2;
    default:
      return service[column];
  }
}

export function inOrder(services: readonly Service[], sort: string): Service[] {
  const column = COLUMNS.find((name) => name === sort.replace(/^-/, '')) ?? 'id';
  const sign = sort.startsWith('-') ? -1 : 1;
  return [...services].sort((a, b) => {
    const [x, y] = [value(a, column), value(b, column)];
    return (x < y ? -1 : x > y ? 1 : 0) * sign || (a.id < b.id ? -1 : 1);
  });
}

/** Layers that occur, from the gateway down. */
export function layersOf(services: readonly Service[]): string[] {
  return LAYERS.filter((layer) => services.some((service) => service.layer === layer));
}
