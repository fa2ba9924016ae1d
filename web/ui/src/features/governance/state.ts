// What of the Governance page is in its address.

import { CONCEPTS } from '../../parts/findings';
import { envCodec, oneOf, text, timeCodec, type Codec, type EnvState, type TimeState } from '../../lib/url-state';

export const STATES = ['open', 'accepted', 'resolved', 'all'] as const;

export interface GovernanceState extends TimeState, EnvState {
  tab: 'findings' | 'blind' | 'rules';
  state: (typeof STATES)[number];
  severity: '' | 'critical' | 'warning' | 'info';
  rule: string;
  service: string;
  concept: '' | (typeof CONCEPTS)[number];
  /** Id of the chosen finding. */
  sel: string;
}

export const governanceCodec: Codec<GovernanceState> = {
  ...envCodec,
  ...timeCodec,
  tab: oneOf(['findings', 'blind', 'rules'], 'findings'),
  state: oneOf(STATES, 'open'),
  severity: oneOf(['', 'critical', 'warning', 'info'], ''),
  rule: text(),
  service: text(),
  concept: oneOf(['', ...CONCEPTS], ''),
  sel: text(),
};
