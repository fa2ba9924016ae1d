// Cutting up, editing and completing queries.

import { describe, expect, it } from 'vitest';
import type { Attribute } from '../src/api/types.ts';
import { accept, rank, slotAt, type Suggestion } from '../src/query/completion.ts';
import { addCondition, getTerm, hasWord, isComposite, quote, removeAt, setTerm, setWord, terms } from '../src/query/terms.ts';

describe('terms', () => {
  it('cuts the short form', () => {
    expect(
      terms('service:cart operation:"GET /" duration>=200ms error !http.status_code=200 -"连接 超时"').map(
        ({ negated, key, op, value }) => [negated, key, op, value],
      ),
    ).toEqual([
      [false, 'service', ':', 'cart'],
      [false, 'operation', ':', 'GET /'],
      [false, 'duration', '>=', '200ms'],
      [false, '', '', 'error'],
      [true, 'http.status_code', '=', '200'],
      [true, '', '', '连接 超时'],
    ]);
  });
  it('reads quotes, escapes and unfinished text without losing any', () => {
    for (const query of ['a="x \\" y" b', 'k="open', '"', '  ', '!', '-', '=x', 'a==b', 'url="http://x/?a=b&c"']) {
      expect(
        terms(query).map((term) => query.slice(term.start, term.end)),
        query,
      ).toEqual(terms(query).map((term) => term.raw));
      expect(
        terms(query)
          .map((term) => term.raw)
          .join('')
          .replace(/\s/g, ''),
        query,
      ).toBe(query.replace(/\s/g, ''));
    }
    expect(terms('a="x \\" y"')[0]?.value).toBe('x " y');
  });
  it('edits one condition and leaves the rest as written', () => {
    expect(setTerm('service:cart  error', 'service', ':', 'my cart')).toBe('error service:"my cart"');
    expect(setTerm('service:cart error', 'service', ':', '')).toBe('error');
    expect(setWord('service:a', 'error', true)).toBe('service:a error');
    expect(setWord('error service:a', 'error', false)).toBe('service:a');
    expect(hasWord('xerror', 'error')).toBe(false);
    expect(getTerm('!service:a service:b', 'service', ':')).toBe('b');
    const second = terms('a b="x y" c')[1];
    expect(second && removeAt('a b="x y" c', second)).toBe('a c');
  });
  it('adds conditions to both forms once', () => {
    const text = (key: string, value: string): Attribute => ({ key, type: 'string', value });
    expect(addCondition('error', text('http.route', '/a b'), false, 'spans')).toBe('error http.route="/a b"');
    expect(addCondition('k=v', text('k', 'v'), false, 'spans')).toBe('k=v');
    expect(addCondition('', text('k', 'v'), true, 'logs')).toBe('!k=v');
    expect(addCondition('{ status = error }', text('k', 'a"b'), false, 'spans')).toBe('{ status = error } && { .k = "a\\"b" }');
    expect(addCondition('{ a } || { b }', { key: 'odd key', type: 'int', value: '7' }, true, 'spans')).toBe(
      '({ a } || { b }) && { ."odd key" != 7 }',
    );
    expect(addCondition('a OR b', text('k', 'v'), false, 'logs')).toBe('(a OR b) k=v');
  });
  it('leaves alone what only the server can cut up', () => {
    expect(['{ a = 1 }', '(a OR b) c', 'a OR b', 'x (y z)', 'a AND b'].map(isComposite)).toEqual([true, true, true, true, true]);
    expect(['a=b', '"a OR b"', 'ORDER', 'x="(y)"', ''].map(isComposite)).toEqual([false, false, false, false, false]);
  });
  it('quotes what would end early', () => {
    expect(['cart', 'a b', '', '中文', 'a"b', 'GET /x', 'a:b'].map(quote)).toEqual([
      'cart',
      '"a b"',
      '""',
      '中文',
      '"a\\"b"',
      '"GET /x"',
      '"a:b"',
    ]);
  });
});

describe('completion', () => {
  it('knows keys from values', () => {
    expect(slotAt('ser', 3)).toMatchObject({ kind: 'key', prefix: 'ser', start: 0, end: 3 });
    expect(slotAt('error service:ca', 16)).toMatchObject({ kind: 'value', key: 'service', prefix: 'ca', start: 14 });
    expect(slotAt('{ resource.service.name = "ca', 29)).toMatchObject({ kind: 'value', key: 'resource.service.name', prefix: 'ca' });
    expect(slotAt('!http.method=', 13)).toMatchObject({ kind: 'value', key: 'http.method', prefix: '' });
  });
  it('replaces the whole word under the caret', () => {
    const slot = slotAt('service:ca error', 10);
    const value: Suggestion = { text: 'my cart', kind: 'value', detail: '' };
    expect(slot && accept('service:ca error', slot, value)).toEqual({ text: 'service:"my cart" error', caret: 18 });
  });
  it('prefers prefixes, then words inside', () => {
    const make = (text: string): Suggestion => ({ text, kind: 'key', detail: '' });
    expect(rank([make('xmethodx'), make('http.method'), make('method'), make('other')], 'meth', 9).map((item) => item.text)).toEqual([
      'method',
      'http.method',
      'xmethodx',
    ]);
  });
});
