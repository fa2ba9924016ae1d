// Links between pages. The time range goes along; everything else is the target's.

import type { TimeState } from './url-state';

/** `/logs?q=…&from=…&to=…` with empty parts left out. */
export function pageLink(path: string, time: TimeState, params: Record<string, string | null> = {}): string {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(params)) if (value) query.set(key, value);
  if (time.from !== 'now-1h') query.set('from', time.from);
  if (time.to !== 'now') query.set('to', time.to);
  const text = query.toString();
  return text === '' ? path : `${path}?${text}`;
}
