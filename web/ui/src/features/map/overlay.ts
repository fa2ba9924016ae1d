// Findings on the places of the map that they are about.

import type { Finding, FindingSeverity } from '../../api/governance';
import { subjectEdges, subjectNodes, worst } from '../../parts/findings';
import type { MapModel } from './model';

export interface Overlay {
  nodes: ReadonlyMap<string, Finding[]>;
  /** By key of the edge. */
  edges: ReadonlyMap<string, Finding[]>;
}

export function overlay(findings: readonly Finding[], whole: MapModel, shown: MapModel, shownAs: (id: string) => string | null): Overlay {
  const nodes = new Map<string, Finding[]>();
  const edges = new Map<string, Finding[]>();
  const put = (on: Map<string, Finding[]>, key: string, finding: Finding): void => {
    const there = on.get(key) ?? [];
    if (!there.includes(finding)) on.set(key, [...there, finding]);
  };
  const byName = new Map([...whole.nodes.values()].map((node) => [node.name, node.id]));
  const place = (id: string): string | null => shownAs(id) ?? shownAs(byName.get(id.replace(/^:\w+:/, '')) ?? '');
  for (const finding of findings) {
    const calls = subjectEdges(finding);
    for (const call of calls) {
      const [source, target] = [place(call.source), place(call.target)];
      const edge = shown.edges.find((item) => item.source === source && item.target === target);
      if (edge) put(edges, edge.key, finding);
      // An edge that is not drawn (inside of a folded namespace, or not called any more) is its caller's.
      else if (source !== null) put(nodes, source, finding);
    }
    for (const id of subjectNodes(finding)) {
      const at = place(id);
      if (at !== null) put(nodes, at, finding);
    }
  }
  return { nodes, edges };
}

export function worstOf(findings: readonly Finding[]): FindingSeverity | null {
  return worst(findings.map((finding) => finding.severity));
}
