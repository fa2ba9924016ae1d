// Service colours: a stable hash picks one of twelve hues; inside one trace or graph collisions move on.

export const HUES = 12;

/** FNV-1a over UTF-16 units: the same service has the same colour on every page and machine. */
export function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  }
  // FNV's low bits are weak for short names; fold the high ones in.
  return (value ^ (value >>> 15)) >>> 0;
}

export function hueOf(service: string): number {
  return hash(service) % HUES;
}

/** Hue of each service; services keep their own hue in order of name, later ones take the next free hue. */
export function assignHues(services: Iterable<string>): Map<string, number> {
  const result = new Map<string, number>();
  const names = [...new Set(services)].sort();
  let taken = new Set<number>();
  for (const name of names) {
    if (taken.size === HUES) taken = new Set();
    let hue = hueOf(name);
    // 5 is coprime to 12, so the walk reaches every hue and steps far from the first.
    while (taken.has(hue)) hue = (hue + 5) % HUES;
    taken.add(hue);
    result.set(name, hue);
  }
  return result;
}

export function hueVar(hue: number): string {
  return `var(--hue-${hue})`;
}

/** Colour of an error share: neutral, then amber, then red. */
export function errorVar(share: number): string {
  if (share < 0.01) return 'var(--control)';
  return share < 0.05 ? 'var(--warn-mark)' : 'var(--error)';
}

const OUTCOME_VARS: Record<string, string> = {
  error: 'var(--error)',
  timeout: 'var(--sev-fatal)',
  limited: 'var(--warn-mark)',
  breaker_open: 'var(--hue-2)',
  shed: 'var(--hue-4)',
  bulkhead: 'var(--hue-8)',
  fallback: 'var(--hue-0)',
  no_instance: 'var(--hue-11)',
  retry_exhausted: 'var(--hue-9)',
  denied: 'var(--hue-10)',
  cancelled: 'var(--rule-strong)',
};

/** Each outcome keeps its colour on every chart. */
export function outcomeVar(outcome: string): string {
  return OUTCOME_VARS[outcome] ?? 'var(--control)';
}
