// The live ring buffer, values and languages.

import { describe, expect, it } from 'vitest';
import type { LogRecord } from '../src/api/types.ts';
import { drop, emptyRing, push } from '../src/features/logs/ring.ts';
import { en } from '../src/i18n/en.ts';
import { preferredLanguage } from '../src/i18n/index.tsx';
import { zh } from '../src/i18n/zh-CN.ts';
import { filterable, plain, pretty } from '../src/parts/values.ts';

const records = (...ids: string[]): LogRecord[] => ids.map((id) => ({ id }) as LogRecord);

describe('ring', () => {
  it('keeps the newest, newest first, and counts everything', () => {
    const ring = drop(push(push(emptyRing, records('1', '2'), 3), records('3', '4'), 3), 5);
    expect(ring.logs.map((record) => record.id)).toEqual(['4', '3', '2']);
    expect(ring).toMatchObject({ seen: 4, dropped: 5 });
    expect(push(ring, [])).toBe(ring);
  });
});

describe('values', () => {
  it('lose neither digits nor types', () => {
    expect(plain({ type: 'int', value: '9223372036854775807' })).toBe('9223372036854775807');
    expect(plain({ type: 'double', value: 'NaN' })).toBe('NaN');
    expect(
      plain({
        type: 'map',
        value: [
          { key: 'a', type: 'int', value: '9223372036854775807' },
          {
            key: 'b',
            type: 'array',
            value: [
              { type: 'bool', value: true },
              { type: 'empty', value: null },
            ],
          },
        ],
      }),
    ).toBe('{"a":"9223372036854775807","b":[true,null]}');
    expect(pretty({ type: 'array', value: Array.from({ length: 40 }, () => ({ type: 'int' as const, value: '1' })) })).toContain('\n');
    expect(filterable({ key: 'k', type: 'bytes', value: 'AA==' })).toBe(false);
  });
});

describe('languages', () => {
  it('follows the choice, then the browser', () => {
    expect(preferredLanguage(null, ['fr', 'zh-TW', 'en'])).toBe('zh');
    expect(preferredLanguage('en', ['zh-CN'])).toBe('en');
    expect(preferredLanguage('xx', ['de'])).toBe('en');
  });
  it('uses the same parameters in both', () => {
    const names = (text: string): string[] => [...new Set([...text.matchAll(/\{(\w+)/g)].map((match) => match[1] ?? ''))].sort();
    for (const key of Object.keys(en) as (keyof typeof en)[]) expect(names(zh[key]), key).toEqual(names(en[key]));
  });
});
