// Absolute times are bigint ns since the epoch; a JavaScript number holds ms (with fraction) or offsets in ns.

export interface Range {
  from: bigint;
  /** Exclusive. */
  to: bigint;
}

const UNIT_MS: Record<string, number> = { s: 1e3, m: 6e4, h: 36e5, d: 864e5, w: 6048e5 };

export const MS = 1_000_000n;

/** Presets of the time picker: the `from` that goes with `to=now`. */
export const PRESETS = ['now-5m', 'now-15m', 'now-30m', 'now-1h', 'now-3h', 'now-6h', 'now-12h', 'now-1d', 'now-3d', 'now-1w'];

/** Reads `now`, `now-15m`, RFC 3339, a local `YYYY-MM-DD HH:MM[:SS]` or ns since the epoch; null when it is none of these. */
export function parseInstant(text: string, nowMs: number): bigint | null {
  const trimmed = text.trim();
  const relative = /^now(?:-(\d+)([smhdw]))?$/.exec(trimmed);
  if (relative) {
    const back = relative[1] ? Number(relative[1]) * (UNIT_MS[relative[2] ?? ''] ?? 0) : 0;
    return fromMs(nowMs - back);
  }
  if (/^\d{16,20}$/.test(trimmed)) return BigInt(trimmed);
  const date = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?(?:Z|[+-]\d\d:\d\d)?$/.test(trimmed)
    ? Date.parse(trimmed.length === 10 ? `${trimmed}T00:00:00` : trimmed.replace(' ', 'T'))
    : Number.NaN;
  return Number.isNaN(date) ? null : fromMs(date);
}

/** The range a page asks for; unreadable or reversed bounds fall back to the last hour. */
export function resolveRange(from: string, to: string, nowMs: number): Range {
  const start = parseInstant(from, nowMs);
  const end = parseInstant(to, nowMs);
  if (start !== null && end !== null && start < end) return { from: start, to: end };
  return { from: fromMs(nowMs - 36e5), to: fromMs(nowMs) };
}

export function isRelative(to: string): boolean {
  return to.startsWith('now');
}

export function fromMs(ms: number): bigint {
  return BigInt(Math.round(ms * 1000)) * 1000n;
}

export function toMs(ns: bigint | string): number {
  const value = typeof ns === 'string' ? BigInt(ns) : ns;
  return Number(value / MS) + Number(value % MS) / 1e6;
}

/** RFC 3339 in UTC with ms: what an absolute bound looks like in a link. */
export function toLink(ns: bigint): string {
  return new Date(Number(ns / MS)).toISOString();
}

const pad = (value: number, width = 2): string => String(value).padStart(width, '0');

/** `15:04:05.123` in local time. */
export function clock(ns: bigint | string): string {
  const date = new Date(Math.floor(toMs(ns)));
  return `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}.${pad(date.getMilliseconds(), 3)}`;
}

/** `2026-11-22` in local time. */
export function day(ns: bigint | string): string {
  const date = new Date(Math.floor(toMs(ns)));
  return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
}

/** `2026-11-22 15:04:05.123456789 +08:00`: nothing of the stored time is lost. */
export function fullTime(ns: bigint | string): string {
  const value = typeof ns === 'string' ? BigInt(ns) : ns;
  const date = new Date(Number(value / MS));
  const offset = -date.getTimezoneOffset();
  const sign = offset < 0 ? '-' : '+';
  const zone = `${sign}${pad(Math.floor(Math.abs(offset) / 60))}:${pad(Math.abs(offset) % 60)}`;
  const fraction = String(value % 1_000_000_000n).padStart(9, '0');
  return `${day(value)} ${clock(value).slice(0, 8)}.${fraction} ${zone}`;
}

/** `2026-11-22 15:04:05`, as the time picker shows an absolute bound. */
export function localInput(ns: bigint): string {
  return `${day(ns)} ${clock(ns).slice(0, 8)}`;
}

const TICK_STEPS = [
  1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 15e3, 3e4, 6e4, 12e4, 3e5, 6e5, 9e5, 18e5, 36e5, 72e5, 108e5, 216e5, 432e5, 864e5,
  1728e5, 6048e5,
];

export interface Tick {
  /** ms since the epoch. */
  at: number;
  label: string;
}

/** Ticks on round local times; at most `count` of them. */
export function timeTicks(fromMillis: number, toMillis: number, count: number): Tick[] {
  const span = toMillis - fromMillis;
  const step = TICK_STEPS.find((candidate) => span / candidate <= count) ?? Math.ceil(span / count / 864e5) * 864e5;
  const zone = new Date(fromMillis).getTimezoneOffset() * 6e4;
  const ticks: Tick[] = [];
  for (let at = Math.ceil((fromMillis - zone) / step) * step + zone; at <= toMillis && ticks.length <= count; at += step) {
    ticks.push({ at, label: tickLabel(at, step) });
  }
  return ticks;
}

function tickLabel(at: number, step: number): string {
  const ns = fromMs(at);
  const time = clock(ns);
  if (step >= 864e5) return day(ns).slice(5);
  if (time.startsWith('00:00:00.000')) return day(ns).slice(5);
  if (step >= 6e4) return time.slice(0, 5);
  return step >= 1e3 ? time.slice(0, 8) : time;
}
