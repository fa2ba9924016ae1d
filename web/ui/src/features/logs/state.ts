// What of the Logs page is in its address.

import { flag, nameSet, text, timeCodec, type Codec, type TimeState } from '../../lib/url-state';

export interface LogsState extends TimeState {
  q: string;
  wrap: boolean;
  live: boolean;
  /** Open records. */
  open: ReadonlySet<string>;
}

export const logsCodec: Codec<LogsState> = { q: text(), ...timeCodec, wrap: flag(), live: flag(), open: nameSet() };
