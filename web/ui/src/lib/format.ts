// Numbers for people. Durations are ns.

const UNITS: readonly [number, string][] = [
  [1e9, 's'],
  [1e6, 'ms'],
  [1e3, 'µs'],
  [1, 'ns'],
];

/** Three significant digits: `0`, `950 ns`, `12.3 µs`, `1.23 s`, `2m 05s`, `3h 12m`. */
export function duration(ns: number): string {
  if (!Number.isFinite(ns)) return '–';
  const size = Math.abs(ns);
  if (size < 0.5) return '0';
  if (size >= 6e10) return longDuration(ns);
  const unit = UNITS.find(([scale]) => Number((size / scale).toPrecision(3)) >= 1) ?? UNITS[3];
  const [scale, name] = unit ?? [1, 'ns'];
  if (Number((size / scale).toPrecision(3)) >= 60 && name === 's') return longDuration(ns);
  return `${significant(ns / scale)} ${name}`;
}

/** A difference with its sign: `+12.3 ms`, `−4 s`. */
export function signedDuration(ns: number): string {
  return `${ns < 0 ? '−' : '+'}${duration(Math.abs(ns))}`;
}

function longDuration(ns: number): string {
  const sign = ns < 0 ? '-' : '';
  const seconds = Math.round(Math.abs(ns) / 1e9);
  const parts: readonly [number, string][] = [
    [86400, 'd'],
    [3600, 'h'],
    [60, 'm'],
    [1, 's'],
  ];
  const first = parts.findIndex(([size]) => seconds >= size);
  const [bigSize, bigName] = parts[first] ?? [1, 's'];
  const [smallSize, smallName] = parts[first + 1] ?? [1, 's'];
  const big = Math.floor(seconds / bigSize);
  const small = Math.floor((seconds % bigSize) / smallSize);
  return `${sign}${big}${bigName} ${String(small).padStart(2, '0')}${smallName}`;
}

function significant(value: number): string {
  const size = Math.abs(value);
  const digits = size >= 100 ? 0 : size >= 10 ? 1 : 2;
  return value.toFixed(digits);
}

/** A duration as the query language takes it, rounded to three digits: `12.3ms`. */
export function queryDuration(ns: number): string {
  const [scale, name] = UNITS.find(([size]) => ns >= size) ?? [1, 'ns'];
  return `${Number((ns / scale).toPrecision(3))}${name === 'µs' ? 'us' : name}`;
}

const grouped = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

/** `12,345`: the same grouping in both languages. */
export function count(value: number): string {
  return grouped.format(value);
}

/** `950`, `12.3k`, `4.56M`. */
export function compact(value: number): string {
  const size = Math.abs(value);
  if (size < 1000) return Number.isInteger(value) ? String(value) : significant(value);
  const [scale, name] = size >= 999_500_000 ? [1e9, 'G'] : size >= 999_500 ? [1e6, 'M'] : [1e3, 'k'];
  return `${significant(value / scale)}${name}`;
}

/** A rate with its unit; one unit everywhere, so that columns compare. */
export function rate(perSecond: number): string {
  if (perSecond === 0) return '0';
  if (perSecond < 0.001) return '<0.001/s';
  return `${perSecond < 1 ? Number(perSecond.toPrecision(2)) : compact(Number(perSecond.toPrecision(3)))}/s`;
}

/** A share of 0..1; what is small but not nothing never reads as 0 %. */
export function percent(share: number): string {
  if (share === 0) return '0%';
  const value = share * 100;
  if (value < 0.01) return '<0.01%';
  if (value > 99.99 && value < 100) return '>99.99%';
  return `${value >= 99.95 || value >= 10 ? value.toFixed(value === 100 ? 0 : 1) : value.toFixed(value < 1 ? 2 : 1)}%`;
}

export function bytes(value: number): string {
  const names = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let size = value;
  let index = 0;
  while (size >= 1024 && index < names.length - 1) {
    size /= 1024;
    index += 1;
  }
  return `${index === 0 ? size : significant(size)} ${names[index] ?? 'B'}`;
}
