// Ids of the service graph: a service is its name, everything else is `:kind:name`.

import type { NodeKind } from '../api/types';

const KINDS: readonly NodeKind[] = ['database', 'topic', 'external', 'user', 'unknown'];

export function nodeKind(id: string): NodeKind {
  return KINDS.find((kind) => id === `:${kind}` || id.startsWith(`:${kind}:`)) ?? 'service';
}

export function nodeName(id: string): string {
  const kind = nodeKind(id);
  if (kind === 'service') return id;
  return id.slice(kind.length + 2) || kind;
}
