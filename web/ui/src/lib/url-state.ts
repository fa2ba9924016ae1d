// The state of a page lives in the query string; a codec gives every part a type and a default.

export interface Field<T> {
  parse(raw: string | null): T;
  /** null: the default, left out of the link. */
  format(value: T): string | null;
}

export type Codec<S> = { readonly [K in keyof S]-?: Field<S[K]> };

export function text(fallback = ''): Field<string> {
  return { parse: (raw) => raw ?? fallback, format: (value) => (value === fallback ? null : value) };
}

export function flag(fallback = false): Field<boolean> {
  return {
    parse: (raw) => (raw === null ? fallback : raw === '1'),
    format: (value) => (value === fallback ? null : value ? '1' : '0'),
  };
}

export function oneOf<const T extends string>(values: readonly T[], fallback: T): Field<T> {
  return {
    parse: (raw) => values.find((value) => value === raw) ?? fallback,
    format: (value) => (value === fallback ? null : value),
  };
}

/** A whole number ≥ 0, or null. */
export function natural(): Field<number | null> {
  return {
    parse: (raw) => (raw !== null && /^\d{1,9}$/.test(raw) ? Number(raw) : null),
    format: (value) => (value === null ? null : String(value)),
  };
}

/** Two numbers `a-b` with 0 ≤ a < b, or null. */
export function interval(): Field<readonly [number, number] | null> {
  return {
    parse: (raw) => {
      const match = /^(\d{1,18})-(\d{1,18})$/.exec(raw ?? '');
      const [from, to] = [Number(match?.[1]), Number(match?.[2])];
      return match && from < to ? [from, to] : null;
    },
    format: (value) => (value === null ? null : `${Math.round(value[0])}-${Math.round(value[1])}`),
  };
}

/** Short names joined by commas (span ids, hidden columns); kept sorted so that equal states give equal links. */
export function nameSet(): Field<ReadonlySet<string>> {
  return {
    parse: (raw) => new Set(raw ? raw.split(',').filter((part) => part !== '') : []),
    format: (value) => (value.size === 0 ? null : [...value].sort().join(',')),
  };
}

export function parseState<S>(codec: Codec<S>, search: string): S {
  const params = new URLSearchParams(search);
  const entries = fields(codec).map(([key, field]) => [key, field.parse(params.get(key))]);
  return Object.fromEntries(entries) as S;
}

/** `?a=1&b=2`, or an empty string when everything is at its default. */
export function formatState<S>(codec: Codec<S>, state: S): string {
  const params = new URLSearchParams();
  for (const [key, field] of fields(codec)) {
    const raw = field.format(state[key as keyof S]);
    if (raw !== null) params.set(key, raw);
  }
  const query = params.toString();
  return query === '' ? '' : `?${query}`;
}

function fields<S>(codec: Codec<S>): [string, Field<S[keyof S]>][] {
  return Object.entries(codec) as [string, Field<S[keyof S]>][];
}

/** Every page carries the time range. */
export interface TimeState {
  from: string;
  to: string;
}
export const timeCodec: Codec<TimeState> = { from: text('now-1h'), to: text('now') };

/** Pages about calls can be narrowed to one deployment environment. */
export interface EnvState {
  env: string;
}
export const envCodec: Codec<EnvState> = { env: text() };
