// Messages with parameters: `{name}` inserts, `{n|one|other}` chooses by n and may insert inside.

export type Params = Record<string, string | number>;

export function message(template: string, params: Params, format: (value: number) => string): string {
  let out = '';
  let at = 0;
  while (at < template.length) {
    const open = template.indexOf('{', at);
    if (open < 0) return out + template.slice(at);
    const close = matching(template, open);
    out += template.slice(at, open) + placeholder(template.slice(open + 1, close), params, format);
    at = close + 1;
  }
  return out;
}

function placeholder(body: string, params: Params, format: (value: number) => string): string {
  const bar = body.indexOf('|');
  const value = params[bar < 0 ? body : body.slice(0, bar)] ?? '';
  if (bar < 0) return typeof value === 'number' ? format(value) : value;
  const second = body.indexOf('|', bar + 1);
  const chosen = value === 1 ? body.slice(bar + 1, second) : body.slice(second + 1);
  return message(chosen, params, format);
}

function matching(template: string, open: number): number {
  let depth = 0;
  for (let at = open; at < template.length; at += 1) {
    if (template[at] === '{') depth += 1;
    if (template[at] === '}') depth -= 1;
    if (depth === 0) return at;
  }
  return template.length;
}
