// From a pattern of log lines to the search that finds them.

/** Phrases between the variable parts `<…>`, `{…}` and `*`; the longest few, since all must occur. */
export function patternQuery(pattern: string): string {
  return pattern
    .split(/<[^<>\s]*>|\{[^{}\s]*\}|\*+/)
    .map((part) => part.replace(/["\\]/g, ' ').replace(/\s+/g, ' ').trim())
    .filter((part) => /[\p{L}\p{N}]{2}/u.test(part))
    .sort((a, b) => b.length - a.length)
    .slice(0, 3)
    .map((part) => `"${part}"`)
    .join(' ');
}
