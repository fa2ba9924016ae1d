// Attribute values as text. Nothing of type or content is lost: bytes stay base64, numbers stay as sent.

import type { Attribute, Value } from '../api/types';

/** The value as the query language and the clipboard take it. */
export function plain(value: Value): string {
  switch (value.type) {
    case 'array':
    case 'map':
      return JSON.stringify(toJson(value));
    case 'empty':
      return '';
    default:
      return String(value.value);
  }
}

export function toJson(value: Value): unknown {
  switch (value.type) {
    case 'array':
      return value.value.map(toJson);
    case 'map':
      return Object.fromEntries(value.value.map((entry) => [entry.key, toJson(entry)]));
    case 'int':
      return Number.isSafeInteger(Number(value.value)) ? Number(value.value) : value.value;
    default:
      return value.value;
  }
}

/** For reading: lists and maps over several lines when they are long. */
export function pretty(value: Value): string {
  if (value.type !== 'array' && value.type !== 'map') return plain(value);
  const line = JSON.stringify(toJson(value));
  return line.length > 72 ? JSON.stringify(toJson(value), null, 2) : line;
}

/** Only scalars make an equality condition. */
export function filterable(attribute: Attribute): boolean {
  return ['string', 'bool', 'int', 'double'].includes(attribute.type) && plain(attribute).length <= 400;
}
