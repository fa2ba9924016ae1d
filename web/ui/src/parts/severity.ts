// Severities by rank, with the token of their colour.

import type { Severity } from '../api/types';

export const SEVERITY_ORDER: readonly Severity[] = ['unspecified', 'trace', 'debug', 'info', 'warn', 'error', 'fatal'];

export function severityVar(severity: string): string {
  return SEVERITY_ORDER.includes(severity as Severity) ? `--sev-${severity}` : '--sev-unspecified';
}

/** What a dense row shows: five letters, as sent in `severity_text` only where the number is unset. */
export function severityLabel(severity: string, sent: string): string {
  return (severity === 'unspecified' ? sent || '·' : severity).toUpperCase().slice(0, 5);
}
