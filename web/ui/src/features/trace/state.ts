// What of the Trace page is in its address: selection, zoom, folding, lens.

import { flag, interval, nameSet, oneOf, text, type Codec } from '../../lib/url-state';

/** The zoomed part, ns after the start of the trace. */
export type View = readonly [number, number];

export interface TraceState {
  tab: 'waterfall' | 'table' | 'logs';
  /** Selected span. */
  s: string;
  /** null: the whole trace. */
  z: View | null;
  fold: 'none' | 'all';
  /** Spans folded or opened against the rule of `fold`. */
  x: ReadonlySet<string>;
  cp: boolean;
  find: string;
  /** Spans are drawn where clocks that agree would have put them. */
  skew: boolean;
  /** Siblings that repeat are one row. */
  rep: boolean;
  /** What the table groups by: `service`, `operation`, or the key of an attribute. */
  by: string;
  /** Column of the table, with `-` before it for descending. */
  sort: string;
}

export const traceCodec: Codec<TraceState> = {
  tab: oneOf(['waterfall', 'table', 'logs'], 'waterfall'),
  s: text(),
  z: interval(),
  fold: oneOf(['none', 'all'], 'none'),
  x: nameSet(),
  cp: flag(true),
  find: text(),
  skew: flag(),
  rep: flag(),
  by: text('service'),
  sort: text('-self_total_ns'),
};
