// What of a service's page is in its address.

import { envCodec, flag, text, timeCodec, type Codec, type EnvState, type TimeState } from '../../lib/url-state';

export interface ServiceState extends TimeState, EnvState {
  /** The series as a table. */
  table: boolean;
  compare: boolean;
  /** Versions to compare; empty for the two newest. */
  base: string;
  head: string;
  /** Order of the operations. */
  sort: string;
}

export const serviceCodec: Codec<ServiceState> = {
  ...envCodec,
  ...timeCodec,
  table: flag(),
  compare: flag(),
  base: text(),
  head: text(),
  sort: text('-calls'),
};
