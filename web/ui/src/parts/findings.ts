// Findings: order, figures and the concept of governance that each rule watches.

import type { Bilingual, Finding, FindingSeverity, Measures } from '../api/governance';
import type { Language } from '../i18n';
import { count, duration, percent } from '../lib/format';

export const SEVERITIES: readonly FindingSeverity[] = ['critical', 'warning', 'info'];

export const CONCEPTS = [
  'logs',
  'tracing',
  'registry',
  'rpc',
  'gateway',
  'release',
  'breaker',
  'degrade',
  'limit',
  'autonomy',
  'layering',
] as const;
export type Concept = (typeof CONCEPTS)[number];

const CONCEPT_OF: Record<string, Concept> = {
  F1: 'layering',
  F2: 'autonomy',
  F3: 'rpc',
  F4: 'layering',
  F5: 'rpc',
  F6: 'rpc',
  F7: 'breaker',
  F8: 'degrade',
  F9: 'limit',
  F10: 'layering',
  F11: 'autonomy',
  F12: 'release',
  F13: 'autonomy',
  F14: 'tracing',
  F15: 'tracing',
  F16: 'tracing',
  F17: 'tracing',
  F18: 'registry',
  F19: 'logs',
  F20: 'rpc',
};

/** `F6b` and `F10.1` are parts of F6 and F10. What goes around the gateway is the gateway's concern. */
export function conceptOf(rule: string, name = ''): Concept | null {
  if (/gateway/.test(name)) return 'gateway';
  return CONCEPT_OF[/^F\d+/.exec(rule)?.[0] ?? ''] ?? null;
}

export function inLanguage(text: Bilingual | null | undefined, language: Language): string {
  return text?.[language] || text?.en || '';
}

export const worst = (severities: readonly FindingSeverity[]): FindingSeverity | null =>
  SEVERITIES.find((severity) => severities.includes(severity)) ?? null;

export type Counts = Record<FindingSeverity, number>;

export function countBySeverity(findings: readonly Finding[]): Counts {
  const counts: Counts = { critical: 0, warning: 0, info: 0 };
  for (const finding of findings) counts[finding.severity] += 1;
  return counts;
}

/** `F2` before `F10`. */
export function byRule(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}

/** A measured value, its unit told by the end of its name. */
export function measure(name: string, value: number | string | boolean | null | undefined): string {
  if (value === null || value === undefined) return '–';
  if (typeof value !== 'number') return String(value);
  if (name.endsWith('_ns')) return duration(value);
  if (name.endsWith('_ms')) return duration(value * 1e6);
  if (/(?:_s|seconds)$/.test(name)) return duration(value * 1e9);
  if (/(?:minutes|_min)$/.test(name)) return `${decimal(value)} min`;
  if (/(?:share|ratio|fraction|coverage|confidence)$/.test(name) || /^(?:share|ratio)/.test(name)) return percent(value);
  return decimal(value);
}

function decimal(value: number): string {
  return Number.isInteger(value) ? count(value) : String(Number(value.toPrecision(3)));
}

export interface MeasureRow {
  name: string;
  measured: string | null;
  threshold: string | null;
  baseline: string | null;
}

/** One row for each name; what has a threshold comes first. A threshold `min_x` or `max_x` stands beside `x`. */
export function measureRows(finding: Pick<Finding, 'measured' | 'threshold' | 'baseline'>): MeasureRow[] {
  const { measured = {}, threshold = {} } = finding;
  const baseline: Measures = finding.baseline ?? {};
  const bound = new Map(Object.keys(threshold).map((name) => [Object.hasOwn(measured, name) ? name : bare(name), name]));
  const names = [...new Set([...Object.keys(measured), ...bound.keys(), ...Object.keys(baseline)])];
  const cell = (of: Measures, name: string | undefined): string | null =>
    name !== undefined && Object.hasOwn(of, name) ? measure(name, of[name]) : null;
  return names
    .map((name) => ({
      name,
      measured: cell(measured, name),
      threshold: cell(threshold, bound.get(name)),
      baseline: cell(baseline, name),
    }))
    .sort((a, b) => rankOf(a) - rankOf(b));
}

const rankOf = (row: MeasureRow): number => (row.measured === null ? 2 : row.threshold === null ? 1 : 0);
const bare = (name: string): string => name.replace(/^(?:min|max|least|most)_|_(?:min|max)$/g, '');

/** `shared_services` → `shared services`, without the unit that its value shows. */
export function label(name: string): string {
  return name.replace(/_(?:ns|ms|s)$/, '').replaceAll('_', ' ');
}

/** Ids of the graph's nodes that a finding is about. */
export function subjectNodes(finding: Pick<Finding, 'subject'>): string[] {
  const { kind, id, services } = finding.subject;
  if (kind === 'database' || kind === 'topic') return [id.startsWith(':') ? id : `:${kind}:${id}`];
  if (kind === 'edge') return [];
  return services.length > 0 ? services : [id];
}

/** Caller and callee of a finding about an edge. */
export function subjectEdge(finding: Pick<Finding, 'subject'>): { source: string; target: string } | null {
  const { kind, id, services } = finding.subject;
  if (kind !== 'edge') return null;
  const cut = /^(.*?)\s*(?:→|->|>)\s*(.*?)(?:\|.*)?$/.exec(id);
  if (cut?.[1] && cut[2]) return { source: cut[1], target: cut[2] };
  const [source, target] = services;
  return source !== undefined && target !== undefined ? { source, target } : null;
}
