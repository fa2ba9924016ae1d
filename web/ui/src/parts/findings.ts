// Findings: order, figures and the concept of governance that each rule watches.

import type { Bilingual, Finding, FindingSeverity, Measures, Rule } from '../api/governance';
import type { Key, Language, Translate } from '../i18n';
import { en } from '../i18n/en';
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

const WATCHES: Record<string, readonly Concept[]> = {
  F1: ['layering'],
  F2: ['autonomy'],
  F3: ['rpc'],
  F4: ['layering'],
  F5: ['rpc'],
  F6: ['rpc'],
  F7: ['breaker'],
  F8: ['degrade'],
  F9: ['limit'],
  F10: ['layering', 'gateway'],
  F11: ['autonomy'],
  F12: ['release'],
  F13: ['autonomy'],
  F14: ['tracing'],
  F15: ['tracing'],
  F16: ['tracing'],
  F17: ['tracing'],
  F18: ['registry'],
  F19: ['logs'],
  F20: ['rpc'],
};

/** What a rule keeps an eye on. */
export function conceptsOf(rule: string): readonly Concept[] {
  return WATCHES[rule] ?? [];
}

/** F10 is about a service where calls go round the gateway, about an edge where they go up the layers. */
export function conceptOf(finding: Pick<Finding, 'rule' | 'subject'>): Concept | null {
  if (finding.rule === 'F10' && finding.subject.kind === 'service') return 'gateway';
  return conceptsOf(finding.rule)[0] ?? null;
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

type Unit = 'share' | 'ns' | 'ms' | 's' | 'minutes' | 'plain';

/** The unit of a measured value, told by its name. */
export function unitOf(name: string): Unit {
  if (name.endsWith('_ns')) return 'ns';
  if (name.endsWith('_ms')) return 'ms';
  if (name.endsWith('_s')) return 's';
  if (name.endsWith('_min')) return 'minutes';
  return /(?:^|_)(?:share|ratio|unpaired|orphans|failed)$/.test(name) ? 'share' : 'plain';
}

export function inUnit(value: number | string | boolean | null | undefined, unit: string): string {
  if (value === null || value === undefined) return '–';
  if (typeof value !== 'number') return String(value);
  switch (unit) {
    case 'share':
      return percent(value);
    case 'ns':
      return duration(value);
    case 'ms':
      return duration(value * 1e6);
    case 's':
      return duration(value * 1e9);
    case 'minutes':
      return `${decimal(value)} min`;
    case 'hours':
      return `${decimal(value)} h`;
    case 'times':
      return `${decimal(value)}×`;
    case 'calls/min':
      return `${decimal(value)}/min`;
    case 'calls/s':
      return `${decimal(value)}/s`;
    default:
      return decimal(value);
  }
}

function decimal(value: number): string {
  return Number.isInteger(value) ? count(value) : String(Number(value.toPrecision(3)));
}

export interface MeasureRow {
  name: string;
  measured: string | null;
  threshold: string | null;
  baseline: string | null;
  /** What the threshold means. */
  what: Bilingual | null;
}

/** One row for each name; what has a threshold comes first. */
export function measureRows(finding: Pick<Finding, 'measured' | 'threshold' | 'baseline'>, known: Rule['thresholds'] = []): MeasureRow[] {
  const { measured = {}, threshold = {} } = finding;
  const baseline: Measures = finding.baseline ?? {};
  const limits = Object.entries(threshold).map(([name, value]) => {
    const rule = known.find((item) => item.name === name);
    return { name: bare(name), value, unit: rule?.unit ?? unitOf(bare(name)), what: rule?.what ?? null };
  });
  // Where names differ, a single threshold belongs to the single value of its unit that has none.
  const names = Object.keys(measured);
  const free = names.filter((name) => !limits.some((limit) => limit.name === name));
  const loose = limits.filter((limit) => !Object.hasOwn(measured, limit.name));
  const [only] = loose;
  const partner = only && loose.length === 1 ? free.find((name) => alike(unitOf(name), only.unit)) : undefined;
  if (only && partner !== undefined) only.name = partner;
  const all = [...new Set([...names, ...limits.map((limit) => limit.name), ...Object.keys(baseline)])];
  return all
    .map((name): MeasureRow => {
      const limit = limits.find((item) => item.name === name);
      const cell = (of: Measures): string | null => (Object.hasOwn(of, name) ? inUnit(of[name], unitOf(name)) : null);
      return {
        name,
        measured: cell(measured),
        threshold: limit ? inUnit(limit.value, limit.unit) : null,
        baseline: cell(baseline),
        what: limit?.what ?? null,
      };
    })
    .sort((a, b) => rankOf(a) - rankOf(b));
}

const TIMES = new Set(['ns', 'ms', 's', 'minutes', 'hours']);
const PLAIN = (unit: string): boolean => unit !== 'share' && unit !== 'times' && !TIMES.has(unit);
const alike = (a: string, b: string): boolean => a === b || (TIMES.has(a) && TIMES.has(b)) || (PLAIN(a) && PLAIN(b));

const rankOf = (row: MeasureRow): number => (row.measured === null ? 2 : row.threshold === null ? 1 : 0);

/** `F9.share` → `share`. */
function bare(name: string): string {
  return name.replace(/^(?:F\d+|common)\./, '').replace(/^(?:min|max)_|_(?:min|max)$/g, (part) => (part === '_min' ? part : ''));
}

/** A measured value's name for people: `most_calls` → `most calls`, without the unit that its value shows. */
export function label(name: string, t: Translate): string {
  const key = `measure.${bare(name)}`;
  return Object.hasOwn(en, key) ? t(key as Key) : plainName(name);
}

export function plainName(name: string): string {
  return bare(name)
    .replace(/_(?:ns|ms|s|min)$/, '')
    .replaceAll('_', ' ');
}

/** Ids of the graph's nodes that a finding is about. */
export function subjectNodes(finding: Pick<Finding, 'subject'>): string[] {
  const { kind, id, services } = finding.subject;
  if (kind === 'database' || kind === 'topic') return [id.startsWith(':') ? id : `:${kind}:${id}`];
  if (kind === 'edge') return [];
  return services.length > 0 ? services : [id];
}

/** Calls that a finding is about: `a → b → c` is two, words before the first and after the last name are none of theirs. */
export function subjectEdges(finding: Pick<Finding, 'subject'>): { source: string; target: string }[] {
  const { kind, id } = finding.subject;
  if (kind !== 'edge') return [];
  const places = id
    .split(/\s*→\s*/)
    .map((part, at) => (at === 0 ? part.trim().split(/\s/).at(-1) : part.trim().split(/[\s|]/)[0]))
    .map((part) => (part ?? '').replace(/[()]/g, ''));
  return places.slice(1).map((target, at) => ({ source: places[at] ?? '', target }));
}
