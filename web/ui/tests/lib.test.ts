// Time, numbers, colours, scales, keys and state in the address.

import { describe, expect, it } from 'vitest';
import { message } from '../src/i18n/message.ts';
import { assignHues, errorVar, HUES, hueOf } from '../src/lib/color.ts';
import { bytes, compact, duration, percent, queryDuration, rate } from '../src/lib/format.ts';
import { offsets } from '../src/lib/heights.ts';
import { keyReader } from '../src/lib/keys.ts';
import { pageLink } from '../src/lib/links.ts';
import { fixedWindow, indexAt, linear, linearTicks, log, logTicks } from '../src/lib/scale.ts';
import { fromMs, parseInstant, resolveRange, timeTicks, toLink, toMs } from '../src/lib/time.ts';
import { tenantOf, withTenant } from '../src/lib/tenant.ts';
import { flag, formatState, interval, nameSet, natural, oneOf, parseState, text, timeCodec } from '../src/lib/url-state.ts';

const NOW = Date.UTC(2026, 10, 22, 12);

describe('time', () => {
  it('reads relative times, RFC 3339 and ns', () => {
    expect(parseInstant('now', NOW)).toBe(fromMs(NOW));
    expect(parseInstant('now-90m', NOW)).toBe(fromMs(NOW - 5_400_000));
    expect(parseInstant('2026-11-22T12:00:00Z', 0)).toBe(fromMs(NOW));
    expect(parseInstant('2026-11-22T20:00:00.5+08:00', 0)).toBe(fromMs(NOW + 500));
    expect(parseInstant('1700000000000000001', 0)).toBe(1_700_000_000_000_000_001n);
  });
  it('refuses what is no time', () => {
    for (const bad of ['', 'now-', 'now-5y', 'yesterday', '12:00', '2026-13-45', '9']) expect(parseInstant(bad, NOW), bad).toBeNull();
  });
  it('falls back to the last hour for a reversed range', () => {
    expect(resolveRange('now', 'now-1h', NOW)).toEqual({ from: fromMs(NOW - 3_600_000), to: fromMs(NOW) });
  });
  it('keeps ns through ms and writes links in UTC', () => {
    expect(toMs('1700000000123456789')).toBeCloseTo(1_700_000_000_123.4568, 3);
    expect(toLink(fromMs(NOW))).toBe('2026-11-22T12:00:00.000Z');
  });
  it('puts at most the asked number of ticks on round times', () => {
    const ticks = timeTicks(NOW, NOW + 3_600_000, 8);
    expect(ticks.length).toBeGreaterThan(3);
    expect(ticks.length).toBeLessThanOrEqual(9);
    expect(ticks.every((tick) => tick.at % 600_000 === 0)).toBe(true);
  });
});

describe('numbers', () => {
  it.each([
    [0, '0'],
    [1, '1.00 ns'],
    [950, '950 ns'],
    [12_340, '12.3 µs'],
    [999_600, '1.00 ms'],
    [1_234_000_000, '1.23 s'],
    [59_960_000_000, '1m 00s'],
    [125e9, '2m 05s'],
    [11_520e9, '3h 12m'],
    [-1500, '-1.50 µs'],
    [Number.NaN, '–'],
  ])('duration %d ns', (ns, expected) => {
    expect(duration(ns)).toBe(expected);
  });
  it('writes durations that the query language reads', () => {
    expect([1, 1500, 12_345_678, 2.5e9].map(queryDuration)).toEqual(['1ns', '1.5us', '12.3ms', '2.5s']);
  });
  it('never shows something small as nothing, nor nearly all as all', () => {
    expect([0, 0.00001, 0.0012, 0.05, 0.5, 0.99999, 1].map(percent)).toEqual(['0%', '<0.01%', '0.12%', '5.0%', '50.0%', '>99.99%', '100%']);
    expect([0, 0.0001, 0.0157, 12.345, 123_456].map(rate)).toEqual(['0', '<0.001/s', '0.016/s', '12.3/s', '123k/s']);
    expect([950, 12_300, 4_560_000].map(compact)).toEqual(['950', '12.3k', '4.56M']);
    expect([512, 1536, 3 * 1024 ** 3].map(bytes)).toEqual(['512 B', '1.50 KiB', '3.00 GiB']);
  });
});

describe('colour', () => {
  it('is stable, in range and spread', () => {
    expect(hueOf('gateway')).toBe(hueOf('gateway'));
    const names = Array.from({ length: 600 }, (_, index) => `service-${index}`);
    const counts = Array.from({ length: HUES }, (_, hue) => names.filter((name) => hueOf(name) === hue).length);
    expect(Math.min(...counts)).toBeGreaterThan(25);
  });
  it('keeps twelve services of one trace apart, whatever their order', () => {
    const names = Array.from({ length: 12 }, (_, index) => `svc-${index}`);
    expect(new Set(assignHues(names).values()).size).toBe(12);
    expect(assignHues([...names].reverse())).toEqual(assignHues(names));
    expect(assignHues([...names, 'svc-12']).size).toBe(13);
  });
  it('goes from neutral over amber to red', () => {
    expect([0, 0.02, 0.2].map(errorVar)).toEqual(['var(--control)', 'var(--warn-mark)', 'var(--error)']);
  });
});

describe('scales and windows', () => {
  it('invert what they map', () => {
    const time = linear([10, 20], [100, 300]);
    expect(time(15)).toBe(200);
    expect(time.invert(200)).toBe(15);
    const size = log([1, 1e6], [0, 600]);
    expect(size(1000)).toBeCloseTo(300);
    expect(size.invert(300)).toBeCloseTo(1000);
    expect(size(0)).toBe(0);
  });
  it('choose round ticks', () => {
    expect(logTicks(5e6, 2e9)).toEqual([1e7, 1e8, 1e9]);
    expect(logTicks(1e6, 1e7)).toEqual([1e6, 2e6, 5e6, 1e7]);
    expect(linearTicks(0, 100, 5)).toEqual([0, 20, 40, 60, 80, 100]);
    expect(linearTicks(7, 7, 5)).toEqual([7]);
  });
  it('show the rows of the viewport and no more', () => {
    expect(fixedWindow(50_000, 24, 24_000, 480, 5)).toEqual({ start: 995, end: 1025 });
    expect(fixedWindow(3, 24, 0, 480, 5)).toEqual({ start: 0, end: 3 });
    expect(fixedWindow(3, 24, 9999, 480, 5)).toEqual({ start: 3, end: 3 });
  });
  it('find the row under a position among measured heights', () => {
    const { at, total } = offsets(['a', 'b', 'c'], 22, new Map([['b', 100]]));
    expect([...at]).toEqual([0, 22, 122, 144]);
    expect(total).toBe(144);
    expect([0, 21, 22, 121, 122, 999].map((y) => indexAt(at, y))).toEqual([0, 0, 1, 1, 2, 3]);
  });
});

describe('keys', () => {
  it('reads sequences, single keys, and forgets an old g', () => {
    let now = 0;
    const read = keyReader(() => now);
    const map = { 'g t': () => {}, t: () => {}, j: () => {} };
    expect([read('j', map), read('g', map), read('t', map), read('t', map)]).toEqual(['j', null, 'g t', 't']);
    read('g', map);
    now = 5000;
    expect(read('t', map)).toBe('t');
    expect(read('x', map)).toBeNull();
  });
});

describe('state in the address', () => {
  const codec = { ...timeCodec, q: text(), live: flag(), tab: oneOf(['a', 'b'], 'a'), z: interval(), x: nameSet(), n: natural() };
  const start = parseState(codec, '');
  it('leaves defaults out', () => {
    expect(formatState(codec, start)).toBe('');
    expect(start).toMatchObject({ from: 'now-1h', to: 'now', q: '', live: false, tab: 'a', z: null, n: null });
  });
  it('survives the round trip', () => {
    const state: typeof start = {
      ...start,
      q: 'service:"a b" 中文 &=?#',
      live: true,
      tab: 'b',
      z: [5, 90],
      x: new Set(['ff', 'aa']),
      n: 7,
      from: 'now-5m',
    };
    expect(parseState(codec, formatState(codec, state))).toEqual(state);
  });
  it('ignores what it cannot read', () => {
    expect(parseState(codec, '?tab=zzz&z=9-3&live=yes&n=-1&other=1')).toEqual(start);
  });
  it('takes the range along to other pages', () => {
    expect(pageLink('/logs', { from: 'now-5m', to: 'now' }, { q: 'a b', none: null })).toBe('/logs?q=a+b&from=now-5m');
    expect(pageLink('/map', { from: 'now-1h', to: 'now' })).toBe('/map');
  });
});

describe('messages', () => {
  it('insert, choose and nest', () => {
    expect(message('{n} {n|span|spans}', { n: 1 }, String)).toBe('1 span');
    expect(message('{n} {n|span|spans}', { n: 0 }, String)).toBe('0 spans');
    expect(message('Last {n|hour|{n} hours}', { n: 3 }, String)).toBe('Last 3 hours');
    expect(message('of {name}: {missing}', { name: '{n}' }, String)).toBe('of {n}: ');
  });
});

describe('tenant', () => {
  it('is what the address names', () => {
    expect(tenantOf('?q=a&tenant=acme')).toBe('acme');
    for (const none of ['', '?q=tenant', '?tenant=']) expect(tenantOf(none), none).toBeNull();
  });
  it('goes along with every link, once', () => {
    expect(withTenant('/traces', 'acme')).toBe('/traces?tenant=acme');
    expect(withTenant('/logs?q=a%20b', 'acme')).toBe('/logs?q=a%20b&tenant=acme');
    expect(withTenant('', 'acme')).toBe('?tenant=acme');
    const once = withTenant('/logs?q=1', 'acme');
    expect(withTenant(once, 'acme')).toBe(once);
    expect(withTenant('/traces?tenant=other', 'acme')).toBe('/traces?tenant=other');
  });
  it('is not in links of the default tenant', () => {
    for (const link of ['', '/traces', '/logs?q=1']) expect(withTenant(link, null)).toBe(link);
  });
});
