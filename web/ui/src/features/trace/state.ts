// What of the Trace page is in its address: selection, zoom, folding, lens.

import { flag, interval, nameSet, oneOf, text, type Codec } from '../../lib/url-state';

/** The zoomed part, ns after the start of the trace. */
export type View = readonly [number, number];

export interface TraceState {
  tab: 'waterfall' | 'logs';
  /** Selected span. */
  s: string;
  /** null: the whole trace. */
  z: View | null;
  fold: 'none' | 'all';
  /** Spans folded or opened against the rule of `fold`. */
  x: ReadonlySet<string>;
  cp: boolean;
  find: string;
}

export const traceCodec: Codec<TraceState> = {
  tab: oneOf(['waterfall', 'logs'], 'waterfall'),
  s: text(),
  z: interval(),
  fold: oneOf(['none', 'all'], 'none'),
  x: nameSet(),
  cp: flag(true),
  find: text(),
};
