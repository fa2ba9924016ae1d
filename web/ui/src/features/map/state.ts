// What of the Map page is in its address.

import { oneOf, text, timeCodec, type Codec, type TimeState } from '../../lib/url-state';

export interface MapState extends TimeState {
  view: 'graph' | 'table';
  /** Selected node, or edge as `source→target|protocol`. */
  sel: string;
}

export const mapCodec: Codec<MapState> = { ...timeCodec, view: oneOf(['graph', 'table'], 'graph'), sel: text() };
