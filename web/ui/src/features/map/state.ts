// What of the Map page is in its address.

import { envCodec, oneOf, text, timeCodec, type Codec, type EnvState, type TimeState } from '../../lib/url-state';

export const METRICS = ['calls', 'errors', 'p95'] as const;
export type Metric = (typeof METRICS)[number];

export interface MapState extends TimeState, EnvState {
  view: 'graph' | 'matrix' | 'table';
  /** Selected node, or edge as `source→target|protocol`. */
  sel: string;
  /** The node in the middle, with what is `depth` calls away; empty for all. */
  focus: string;
  depth: '1' | '2' | '3';
  /** The namespace whose services are shown one by one, where there are too many for all. */
  ns: string;
  scope: 'all' | 'app' | 'infra';
  metric: Metric;
}

export const mapCodec: Codec<MapState> = {
  ...timeCodec,
  ...envCodec,
  view: oneOf(['graph', 'matrix', 'table'], 'graph'),
  sel: text(),
  focus: text(),
  depth: oneOf(['1', '2', '3'], '1'),
  ns: text(),
  scope: oneOf(['all', 'app', 'infra'], 'all'),
  metric: oneOf(METRICS, 'calls'),
};
