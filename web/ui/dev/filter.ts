// A rough reading of the short query form, enough to try the UI by hand. The real grammar is the server's.

import type { LogRecord } from '../src/api/types';
import type { ShopSpan, ShopTrace } from './shop.ts';

const TERM = /([!-]?)(?:([\w.@/-]+)(>=|<=|!=|[:=><~])("[^"]*"|\S+)|"([^"]*)"|(\S+))/g;
const SCALE: Record<string, number> = { ns: 1, us: 1e3, ms: 1e6, s: 1e9 };

interface Term {
  not: boolean;
  key: string;
  op: string;
  value: string;
}

function terms(q: string): Term[] {
  return [...q.matchAll(TERM)].map((match) => ({
    not: match[1] !== '',
    key: match[2] ?? '',
    op: match[3] ?? '',
    value: (match[4] ?? match[5] ?? match[6] ?? '').replaceAll('"', ''),
  }));
}

export function matchTrace(trace: ShopTrace, q: string): boolean {
  if (q.trim().startsWith('{')) return true;
  const wanted = terms(q);
  return wanted.length === 0 || trace.spans.some((span) => wanted.every((term) => spanMatches(span, term) !== term.not));
}

function spanMatches(span: ShopSpan, term: Term): boolean {
  if (term.key === '') return term.value === 'error' ? span.status === 'error' : span.name.includes(term.value);
  if (term.key === 'service') return span.service === term.value;
  if (term.key === 'operation') return span.name === term.value;
  if (term.key === 'outcome') return span.outcome === term.value;
  if (term.key === 'duration') {
    const [, size, unit] = /^([\d.]+)(ns|us|ms|s)$/.exec(term.value) ?? [];
    const bound = Number(size) * (SCALE[unit ?? 'ms'] ?? 1);
    return term.op.startsWith('>') ? span.duration_ns >= bound : span.duration_ns <= bound;
  }
  return [...span.attributes, ...span.resource.attributes].some(
    (attribute) => attribute.key === term.key && String(attribute.value) === term.value,
  );
}

export function matchLog(log: LogRecord, q: string): boolean {
  return terms(q).every((term) => logMatches(log, term) !== term.not);
}

function logMatches(log: LogRecord, term: Term): boolean {
  if (term.key === '') return String(log.body.value).toLowerCase().includes(term.value.toLowerCase());
  if (term.key === 'service') return log.service === term.value;
  if (term.key === 'trace_id') return log.trace_id === term.value;
  if (term.key === 'severity') {
    const floor = ['unspecified', 'trace', 'debug', 'info', 'warn', 'error', 'fatal'].indexOf(term.value) * 4 - 3;
    return term.op === '>=' ? log.severity_number >= floor : log.severity === term.value;
  }
  return [...log.attributes, ...log.resource.attributes].some(
    (attribute) => attribute.key === term.key && (term.value === '*' || String(attribute.value) === term.value),
  );
}
