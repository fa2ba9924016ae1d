// The short query form as terms with their places, so that chips and filters can edit the text.
// The server's grammar decides what a query means; here it is only cut up.

import type { Attribute } from '../api/types';
import { plain } from '../parts/values';

export type Table = 'spans' | 'logs';

export interface Term {
  start: number;
  end: number;
  raw: string;
  negated: boolean;
  /** Empty for a bare word or phrase. */
  key: string;
  op: string;
  /** Without quotes. */
  value: string;
}

const OPERATORS = ['>=', '<=', '!=', '!~', '=~', ':', '=', '>', '<', '~'];

/** TraceQL, groups and OR: only the server can cut these up, so they stay as they are. */
export function isComposite(text: string): boolean {
  return /^\s*[{(]/.test(text) || terms(text).some((term) => /^(?:OR|AND|\(.*|[^"]*\)|[|&]{2})$/.test(term.raw));
}

export function terms(text: string): Term[] {
  const result: Term[] = [];
  let at = 0;
  while (at < text.length) {
    if (/\s/.test(text[at] ?? '')) {
      at += 1;
      continue;
    }
    const end = wordEnd(text, at);
    result.push(parseTerm(text.slice(at, end), at));
    at = end;
  }
  return result;
}

/** A word ends at white space outside of quotes. */
function wordEnd(text: string, start: number): number {
  let quoted = false;
  for (let at = start; at < text.length; at += 1) {
    const char = text[at] ?? '';
    if (char === '\\' && quoted) at += 1;
    else if (char === '"') quoted = !quoted;
    else if (!quoted && /\s/.test(char)) return at;
  }
  return text.length;
}

function parseTerm(raw: string, start: number): Term {
  const negated = /^[!-]./.test(raw);
  const body = negated ? raw.slice(1) : raw;
  const base = { start, end: start + raw.length, raw, negated };
  const at = body.startsWith('"') ? -1 : body.search(/[:=<>~!]/);
  const op = at > 0 ? OPERATORS.find((candidate) => body.startsWith(candidate, at)) : undefined;
  if (op === undefined) return { ...base, key: '', op: '', value: unquote(body) };
  return { ...base, key: body.slice(0, at), op, value: unquote(body.slice(at + op.length)) };
}

function unquote(text: string): string {
  const inner = text.startsWith('"') ? text.slice(1, text.endsWith('"') && text.length > 1 ? -1 : undefined) : text;
  return inner.replace(/\\(["\\])/g, '$1');
}

/** Quotes where the text would otherwise end early or read as something else. */
export function quote(value: string): string {
  return value !== '' && /^[\p{L}\p{N}_./@*+-]+$/u.test(value) ? value : `"${value.replace(/["\\]/g, '\\$&')}"`;
}

export function formatTerm(key: string, op: string, value: string, negated = false): string {
  return `${negated ? '!' : ''}${key}${op}${quote(value)}`;
}

export function removeAt(text: string, term: Term): string {
  return `${text.slice(0, term.start)}${text.slice(term.end)}`.replace(/\s+/g, (gap) => (gap.includes('\n') ? '\n' : ' ')).trim();
}

/** Sets the one positive term of a key and operator; an empty value takes it away. */
export function setTerm(text: string, key: string, op: string, value: string): string {
  const kept = terms(text).filter((term) => !(term.key === key && term.op === op && !term.negated));
  const parts = kept.map((term) => term.raw);
  if (value !== '') parts.push(formatTerm(key, op, value));
  return parts.join(' ');
}

export function getTerm(text: string, key: string, op: string): string {
  return terms(text).find((term) => term.key === key && term.op === op && !term.negated)?.value ?? '';
}

/** Adds a condition to any form; one that is there already is not doubled. */
export function addCondition(text: string, attribute: Attribute, negated: boolean, table: Table): string {
  const term = formatTerm(attribute.key, '=', plain(attribute), negated);
  if (!isComposite(text)) return terms(text).some((other) => other.raw === term) ? text : `${text.trim()} ${term}`.trim();
  if (table === 'logs') return `(${text.trim()}) ${term}`;
  const whole = text.includes('||') ? `(${text.trim()})` : text.trim();
  return `${whole} && ${traceQl(attribute, negated)}`;
}

/** A spanset filter; numbers and booleans without quotes, since TraceQL compares types. */
function traceQl(attribute: Attribute, negated: boolean): string {
  const quoted = (part: string): string => `"${part.replace(/["\\]/g, '\\$&')}"`;
  const name = /^[\p{L}\p{N}_.\-/]+$/u.test(attribute.key) ? attribute.key : quoted(attribute.key);
  const value = plain(attribute);
  return `{ .${name} ${negated ? '!=' : '='} ${attribute.type === 'string' ? quoted(value) : value} }`;
}

/** A bare word such as `error`, on or off. */
export function setWord(text: string, word: string, on: boolean): string {
  const kept = terms(text).filter((term) => !(term.key === '' && term.raw === word));
  return [...kept.map((term) => term.raw), ...(on ? [word] : [])].join(' ');
}

export function hasWord(text: string, word: string): boolean {
  return terms(text).some((term) => term.raw === word);
}
