// Findings: what they are about, their figures, and what a page without findings may claim.

import { describe, expect, it } from 'vitest';
import type { Finding, FindingList, Rule } from '../src/api/governance.ts';
import { bySeverity, blindByRule, conceptCells, neighbourOf, wanted } from '../src/features/governance/model.ts';
import { byRule, conceptOf, inUnit, measureRows, subjectEdges, subjectNodes, unitOf, worst } from '../src/parts/findings.ts';

const both = { en: 'x', zh: '甲' };
const finding = (change: Partial<Finding>): Finding => ({
  id: 'f',
  rule: 'F2',
  name: 'shared_database',
  severity: 'warning',
  confidence: 0.9,
  state: 'open',
  principle: 'own_database',
  subject: { kind: 'database', id: 'mysql/stock', services: ['a', 'b'] },
  claim: both,
  measured: {},
  threshold: {},
  evidence: [],
  first_seen_ns: '1',
  last_seen_ns: '2',
  ...change,
});
const rule = (id: string): Rule => ({
  rule: id,
  name: id,
  principle: '',
  severity: 'info',
  title: both,
  what: both,
  guard: both,
  thresholds: [],
});
const list = (change: Partial<FindingList>): FindingList => ({ findings: [], not_evaluated: [], evaluated_ns: '9', ...change });

describe('subjects', () => {
  const edge = (id: string): { source: string; target: string }[] =>
    subjectEdges(finding({ subject: { kind: 'edge', id, services: ['order', 'payment'] } }));
  it('reads calls out of an id', () => {
    expect(edge('order → payment')).toEqual([{ source: 'order', target: 'payment' }]);
    expect(edge('no instance order → payment')).toEqual([{ source: 'order', target: 'payment' }]);
    expect(edge('abandoned order → payment shop.Pay/Charge')).toEqual([{ source: 'order', target: 'payment' }]);
    expect(edge('order→payment|grpc')).toEqual([{ source: 'order', target: 'payment' }]);
    expect(edge('a → b → a')).toEqual([
      { source: 'a', target: 'b' },
      { source: 'b', target: 'a' },
    ]);
    expect(edge('order')).toEqual([]);
  });
  it('names the nodes of other subjects', () => {
    expect(subjectNodes(finding({}))).toEqual([':database:mysql/stock']);
    expect(subjectNodes(finding({ subject: { kind: 'topic', id: ':topic:t', services: [] } }))).toEqual([':topic:t']);
    expect(subjectNodes(finding({ subject: { kind: 'operation', id: 'a GET /', services: ['a'] } }))).toEqual(['a']);
    expect(subjectNodes(finding({ subject: { kind: 'service', id: 'a', services: [] } }))).toEqual(['a']);
    expect(subjectEdges(finding({}))).toEqual([]);
  });
  it('tells the gateway from the layers', () => {
    expect(conceptOf(finding({ rule: 'F10', subject: { kind: 'service', id: 'a', services: ['a'] } }))).toBe('gateway');
    expect(conceptOf(finding({ rule: 'F10', subject: { kind: 'edge', id: 'a → b', services: [] } }))).toBe('layering');
    expect(conceptOf(finding({ rule: 'F99' }))).toBeNull();
  });
});

describe('figures', () => {
  it('takes the unit from the name, or from the rule', () => {
    expect(['share', 'longer_ms', 'gap_min', 'error_ratio', 'instances', 'unpaired'].map(unitOf)).toEqual([
      'share',
      'ms',
      'minutes',
      'share',
      'plain',
      'share',
    ]);
    expect(inUnit(0.026, 'share')).toBe('2.6%');
    expect(inUnit(3, 'times')).toBe('3×');
    expect(inUnit(1500, 'ms')).toBe('1.50 s');
    expect(inUnit(null, 'ms')).toBe('–');
    expect(inUnit(1234.5, 'calls')).toBe('1230');
  });
  it('puts a threshold beside what it bounds', () => {
    expect(measureRows(finding({ measured: { limited: 19, share: 0.026 }, threshold: { 'F9.share': 0.01 } }))).toMatchObject([
      { name: 'share', measured: '2.6%', threshold: '1.0%' },
      { name: 'limited', measured: '19', threshold: null },
    ]);
  });
  it('joins a single threshold of another name by its unit', () => {
    const known: Rule['thresholds'] = [{ name: 'F6.abandoned', value: 0.01, default: 0.01, unit: 'share', what: both }];
    const found = finding({ measured: { share: 0.05, longer_ms: 400 }, threshold: { 'F6.abandoned': 0.01 } });
    expect(measureRows(found, known)[0]).toMatchObject({ name: 'share', measured: '5.0%', threshold: '1.0%', what: both });
  });
  it('keeps what has no partner', () => {
    const found = finding({ measured: { skew_ms: 40 }, threshold: { 'F17.skew_ms': 10, 'F17.pairs': 20 }, baseline: { p95_ms: 3 } });
    expect(measureRows(found)).toMatchObject([
      { name: 'skew_ms', measured: '40.0 ms', threshold: '10.0 ms' },
      { name: 'pairs', measured: null, threshold: '20' },
      { name: 'p95_ms', baseline: '3.00 ms' },
    ]);
  });
  it('orders rules by number and severities by weight', () => {
    expect(['F10', 'F2', 'F1'].sort(byRule)).toEqual(['F1', 'F2', 'F10']);
    expect(worst(['info', 'critical'])).toBe('critical');
    expect(worst([])).toBeNull();
  });
});

describe('the list', () => {
  const all = [
    finding({ id: 'old', severity: 'critical', last_seen_ns: '1000000000000000001' }),
    finding({ id: 'new', severity: 'critical', last_seen_ns: '1000000000000000002' }),
    finding({ id: 'info', severity: 'info', rule: 'F7', subject: { kind: 'service', id: 'c', services: ['c'] } }),
  ];
  it('shows the severest and newest first', () => {
    expect(bySeverity(all).map(([severity, group]) => [severity, group.map((item) => item.id)])).toEqual([
      ['critical', ['new', 'old']],
      ['info', ['info']],
    ]);
  });
  it('filters by all that is chosen', () => {
    const none = { severity: '', rule: '', service: '', concept: '' };
    const ids = (change: Partial<typeof none>): string[] =>
      all.filter((item) => wanted(item, { ...none, ...change })).map((item) => item.id);
    expect(ids({})).toHaveLength(3);
    expect(ids({ concept: 'breaker' })).toEqual(['info']);
    expect(ids({ service: 'a', severity: 'critical' })).toEqual(['old', 'new']);
    expect(ids({ service: 'a', severity: 'info' })).toEqual([]);
  });
  it('walks and holds at the ends', () => {
    expect(neighbourOf(all, '', 1)).toBe('old');
    expect(neighbourOf(all, 'old', 1)).toBe('new');
    expect(neighbourOf(all, 'info', 1)).toBe('info');
    expect(neighbourOf([], '', 1)).toBe('');
  });
});

describe('concepts', () => {
  const says = (from: FindingList, rules: Rule[], concept: string): string | undefined =>
    conceptCells(from, rules).find((cell) => cell.concept === concept)?.says;
  it('are clear only where rules ran and could judge', () => {
    const rules = [rule('F7'), rule('F9')];
    expect(says(list({}), rules, 'breaker')).toBe('clear');
    expect(says(list({ evaluated_ns: null }), rules, 'breaker')).toBe('never');
    expect(says(list({ not_evaluated: [{ rule: 'F7', subject: null, reason: both }] }), rules, 'breaker')).toBe('blind');
    expect(says(list({}), rules, 'registry')).toBe('none');
    expect(says(list({ findings: [finding({ rule: 'F7' })] }), rules, 'breaker')).toBe('found');
  });
  it('groups reasons by rule in order', () => {
    const items = ['F10', 'F2', 'F10'].map((id) => ({ rule: id, subject: null, reason: both }));
    expect(blindByRule(items).map(([id, group]) => [id, group.length])).toEqual([
      ['F2', 1],
      ['F10', 2],
    ]);
  });
});
