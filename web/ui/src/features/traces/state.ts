// What of the Traces page is in its address.

import { flag, text, timeCodec, type Codec, type TimeState } from '../../lib/url-state';

export interface TracesState extends TimeState {
  q: string;
  chart: boolean;
}

export const tracesCodec: Codec<TracesState> = { q: text(), ...timeCodec, chart: flag(true) };
