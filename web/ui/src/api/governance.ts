// The answers about governance: one service, its releases, the findings and their rules.

import type { Exemplar, GraphEdge, InstanceSeen, Minutes, Notes, Quantiles, Service } from './types';

/** Counts per step from `from_ns` on. */
export interface ServiceSeries {
  from_ns: string;
  calls: number[];
  errors: number[];
  p50_ns: (number | null)[];
  p95_ns: (number | null)[];
  p99_ns: (number | null)[];
  outcomes: Record<string, number[]>;
  spans?: number[];
  instances?: number[];
}

export interface OperationFigures {
  name: string;
  protocol: string | null;
  calls: number;
  errors: number;
  latency: Quantiles | null;
  outcomes: Record<string, number>;
  exemplars: Exemplar[];
}

export interface InstanceLife extends InstanceSeen {
  gone?: boolean;
  series: number[];
}

export interface Release {
  version: string;
  first_ns: string;
  last_ns: string;
  series: number[];
}

export interface ExceptionCount {
  type: string;
  message: string;
  count: number;
  last_ns: string;
  exemplar: Exemplar | null;
}

export interface LogPattern {
  pattern: string;
  severity: string;
  count: number;
  last_ns: string;
  example_id: string | null;
}

export interface ServiceDetail {
  service: Service;
  window?: Minutes | null;
  step_ns: number;
  series: ServiceSeries;
  operations: OperationFigures[];
  upstream: GraphEdge[];
  downstream: GraphEdge[];
  instances: InstanceLife[];
  releases: Release[];
  exceptions: ExceptionCount[];
  log_patterns: LogPattern[];
  notes?: Notes;
}

export type Verdict = 'worse' | 'better' | 'same' | 'unknown';

export interface ReleaseFigures {
  version?: string;
  calls: number;
  errors: number;
  error_ratio?: number | null;
  latency: Quantiles | null;
}

export interface Comparison {
  mode: 'side_by_side' | 'before_after';
  base: ReleaseFigures & { version: string };
  head: ReleaseFigures & { version: string };
  operations: { name: string; base: ReleaseFigures | null; head: ReleaseFigures | null; verdict: Verdict }[];
  new_exceptions: { type: string; count: number }[];
  new_log_patterns: { pattern: string; count: number }[];
  edges_added: { target: string; protocol: string | null }[];
  edges_removed: { target: string; protocol: string | null }[];
  verdict: Verdict;
  reasons: string[];
  notes?: Notes;
}

/** A sentence in both languages of the UI. */
export interface Bilingual {
  en: string;
  zh: string;
}

export type FindingSeverity = 'critical' | 'warning' | 'info';
export type FindingState = 'open' | 'resolved' | 'accepted';
export type Measures = Record<string, number | string | boolean | null>;

export interface Finding {
  id: string;
  rule: string;
  name: string;
  rule_version?: number;
  severity: FindingSeverity;
  /** 0..1 */
  confidence: number;
  state: FindingState;
  principle: string;
  subject: { kind: string; id: string; services: string[] };
  window?: Minutes | null;
  claim: Bilingual;
  measured: Measures;
  threshold: Measures;
  baseline?: Measures | null;
  n?: number | null;
  evidence: { trace_id: string; span_ids: string[]; why: Bilingual }[];
  first_seen_ns: string;
  last_seen_ns: string;
  resolved_ns?: string | null;
  accepted_by?: string | null;
  accepted_note?: string | null;
  history?: { at_ns: string; state: string; measured?: Measures | null }[];
}

export interface NotEvaluated {
  rule: string;
  subject: string | null;
  reason: Bilingual;
}

export interface FindingList {
  findings: Finding[];
  not_evaluated?: NotEvaluated[];
  evaluated_ns?: string | null;
  window_ns?: number | null;
  notes?: Notes;
}

export interface Rule {
  rule: string;
  name: string;
  principle: string;
  severity: FindingSeverity;
  title: Bilingual;
  what: Bilingual;
  guard: Bilingual;
  thresholds: { name: string; value: number | string; default: number | string; unit: string; what: Bilingual }[];
}

export interface RuleList {
  rules: Rule[];
}
