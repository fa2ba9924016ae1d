// Which findings are shown, and what can be said of each concept of governance.

import type { Finding, FindingList, FindingSeverity, NotEvaluated, Rule } from '../../api/governance';
import { byRule, CONCEPTS, conceptOf, conceptsOf, countBySeverity, SEVERITIES, type Concept, type Counts } from '../../parts/findings';

export interface Wanted {
  severity: string;
  rule: string;
  service: string;
  concept: string;
}

export function wanted(finding: Finding, filter: Wanted): boolean {
  return (
    (filter.severity === '' || finding.severity === filter.severity) &&
    (filter.rule === '' || finding.rule === filter.rule) &&
    (filter.service === '' || finding.subject.services.includes(filter.service)) &&
    (filter.concept === '' || conceptOf(finding) === filter.concept)
  );
}

/** Severest first; within a severity the newest first. */
export function bySeverity(findings: readonly Finding[]): [FindingSeverity, Finding[]][] {
  return SEVERITIES.map((severity): [FindingSeverity, Finding[]] => [
    severity,
    findings.filter((finding) => finding.severity === severity).sort(newestFirst),
  ]).filter(([, group]) => group.length > 0);
}

function newestFirst(a: Finding, b: Finding): number {
  const [x, y] = [BigInt(a.last_seen_ns), BigInt(b.last_seen_ns)];
  return x > y ? -1 : x < y ? 1 : a.id < b.id ? -1 : 1;
}

export interface ConceptCell {
  concept: Concept;
  counts: Counts;
  found: number;
  /** Rules and subjects of this concept that could not be judged. */
  blind: number;
  rules: number;
  /** `never`: nothing was evaluated; `none`: no rule watches this; `blind`: no finding, but not all was judged. */
  says: 'found' | 'never' | 'none' | 'blind' | 'clear';
}

/** Without findings a cell is clear only where rules ran and all of them could judge. */
export function conceptCells(list: FindingList, rules: readonly Rule[]): ConceptCell[] {
  const evaluated = list.evaluated_ns !== null && list.evaluated_ns !== undefined;
  return CONCEPTS.map((concept) => {
    const here = list.findings.filter((finding) => conceptOf(finding) === concept);
    const blind = (list.not_evaluated ?? []).filter((item) => conceptsOf(item.rule).includes(concept)).length;
    const own = rules.filter((rule) => conceptsOf(rule.rule).includes(concept)).length;
    const says = here.length > 0 ? 'found' : !evaluated ? 'never' : blind > 0 ? 'blind' : own === 0 ? 'none' : 'clear';
    return { concept, counts: countBySeverity(here), found: here.length, blind, rules: own, says };
  });
}

export function servicesOf(findings: readonly Finding[]): string[] {
  return [...new Set(findings.flatMap((finding) => finding.subject.services))].sort();
}

export function rulesOf(findings: readonly Finding[], rules: readonly Rule[]): string[] {
  return [...new Set([...rules.map((rule) => rule.rule), ...findings.map((finding) => finding.rule)])].sort(byRule);
}

/** Reasons by rule, rules in their order. */
export function blindByRule(items: readonly NotEvaluated[]): [string, NotEvaluated[]][] {
  const groups = new Map<string, NotEvaluated[]>();
  for (const item of items) groups.set(item.rule, [...(groups.get(item.rule) ?? []), item]);
  return [...groups].sort(([a], [b]) => byRule(a, b));
}

/** The finding before or after the chosen one, in the order of the page; the ends hold. */
export function neighbourOf(findings: readonly Finding[], id: string, step: 1 | -1): string {
  const at = findings.findIndex((finding) => finding.id === id);
  const next = at < 0 ? (step > 0 ? 0 : findings.length - 1) : at + step;
  return findings[Math.max(0, Math.min(findings.length - 1, next))]?.id ?? '';
}
