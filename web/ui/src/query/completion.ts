// What could stand where the caret is.

import { quote } from './terms';

export interface Slot {
  kind: 'key' | 'value';
  /** For values: the key they belong to. */
  key: string;
  /** What is typed so far, without quotes. */
  prefix: string;
  /** The part of the text that a suggestion replaces. */
  start: number;
  end: number;
}

export interface Suggestion {
  text: string;
  kind: 'key' | 'value' | 'word';
  detail: string;
}

const VALUE = /([^\s"=:<>!~(){}|&]+)\s?(?:>=|<=|!=|!~|=~|=|:|>|<|~)\s?("[^"]*|[^\s"(){}]*)$/;
const KEY = /[^\s"=:<>!~(){}|&]*$/;

/** The slot under the caret; null inside a string that belongs to no key. */
export function slotAt(text: string, caret: number): Slot | null {
  const before = text.slice(0, caret);
  const end = caret + (/^[^\s"(){}]*/.exec(text.slice(caret))?.[0].length ?? 0);
  const value = VALUE.exec(before);
  if (value) {
    const [, key = '', typed = ''] = value;
    return { kind: 'value', key: key.replace(/^-/, ''), prefix: typed.replace(/^"/, ''), start: caret - typed.length, end };
  }
  if ((before.split('"').length - 1) % 2 === 1) return null;
  const prefix = (KEY.exec(before)?.[0] ?? '').replace(/^-/, '');
  return { kind: 'key', key: '', prefix, start: caret - prefix.length, end };
}

/** Best first: prefix before inside, short before long; at most `limit`. */
export function rank(candidates: readonly Suggestion[], prefix: string, limit: number): Suggestion[] {
  const needle = prefix.toLowerCase();
  const scored: { suggestion: Suggestion; score: number }[] = [];
  for (const suggestion of candidates) {
    const at = suggestion.text.toLowerCase().indexOf(needle);
    if (at < 0) continue;
    const boundary = at === 0 || /[._\s/-]/.test(suggestion.text[at - 1] ?? '');
    scored.push({
      suggestion,
      score: (at === 0 ? 0 : boundary ? 1 : 2) * 1000 + (suggestion.kind === 'word' ? 0 : suggestion.text.length),
    });
  }
  return scored
    .sort((a, b) => a.score - b.score || (a.suggestion.text < b.suggestion.text ? -1 : 1))
    .slice(0, limit)
    .map((item) => item.suggestion);
}

/** The text and caret after taking a suggestion. A key waits for its operator, a value is complete. */
export function accept(text: string, slot: Slot, suggestion: Suggestion): { text: string; caret: number } {
  const inserted =
    suggestion.kind === 'value' ? `${quote(suggestion.text)} ` : suggestion.kind === 'word' ? suggestion.text : `${suggestion.text}=`;
  const tail = text.slice(slot.end).replace(/^ /, suggestion.kind === 'value' ? '' : ' ');
  const next = text.slice(0, slot.start) + inserted + tail;
  return { text: next, caret: slot.start + inserted.length };
}
