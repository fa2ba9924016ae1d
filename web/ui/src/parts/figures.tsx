// Small marks that every page about services uses: layers, outcomes, findings and how exact the counts are.

import type { FindingSeverity } from '../api/governance';
import type { Exactness, Layer, Minutes } from '../api/types';
import { useT, type Key, type Translate } from '../i18n';
import { en } from '../i18n/en';
import { compact, count, percent } from '../lib/format';
import { clock, day } from '../lib/time';
import { Icon, type IconName } from '../ui/Icon';
import { SEVERITIES, type Counts } from './findings';
import styles from './figures.module.css';

export function LayerBadge({ layer, source }: { layer: Layer | null | undefined; source?: string | null | undefined }) {
  const t = useT();
  if (!layer) return <span className={styles['none']}>–</span>;
  const title = source === 'file' ? t('layer.file') : source === 'inferred' ? t('layer.inferred') : undefined;
  return (
    <span className={styles['layer']} data-layer={layer} data-source={source ?? undefined} title={title}>
      {t(`layer.${layer}`)}
    </span>
  );
}

export function outcomeName(outcome: string, t: Translate): string {
  const key = `outcome.${outcome}`;
  return Object.hasOwn(en, key) ? t(key as Key) : outcome;
}

const SEVERE = new Set(['error', 'timeout', 'retry_exhausted', 'no_instance']);

/** Colour of an outcome: red where the call failed, amber where a guard stepped in. */
export function outcomeTone(outcome: string): 'error' | 'guard' | 'plain' {
  return SEVERE.has(outcome) ? 'error' : outcome === 'cancelled' || outcome === 'denied' ? 'plain' : 'guard';
}

/** Outcomes other than ok, the most frequent first. */
export function OutcomeChips({
  outcomes,
  most = 4,
  skip = [],
}: {
  outcomes: Record<string, number> | undefined;
  most?: number;
  skip?: readonly string[];
}) {
  const t = useT();
  const all = Object.entries(outcomes ?? {})
    .filter(([name, calls]) => calls > 0 && !skip.includes(name))
    .sort(([, a], [, b]) => b - a);
  if (all.length === 0) return <span className={styles['none']}>–</span>;
  return (
    <span className={styles['chips']}>
      {all.slice(0, most).map(([name, calls]) => (
        <span key={name} className={styles['chip']} data-tone={outcomeTone(name)} title={`${name} ${count(calls)}`}>
          {outcomeName(name, t)} <b>{compact(calls)}</b>
        </span>
      ))}
      {all.length > most && <span className={styles['none']}>+{all.length - most}</span>}
    </span>
  );
}

/** The cell of a share of failed calls; it stands out from 1 % and from 5 % on. */
export function ShareCell({ share }: { share: number }) {
  return (
    <td data-number data-bad={share >= 0.05} data-warn={share >= 0.01}>
      {percent(share)}
    </td>
  );
}

export const SEVERITY_ICON: Record<FindingSeverity, IconName> = { critical: 'error', warning: 'warn', info: 'info' };

export function SeverityMark({ severity, size = 14 }: { severity: FindingSeverity; size?: number }) {
  const t = useT();
  return (
    <span className={styles['severity']} data-severity={severity} title={t(`severity.${severity}`)}>
      <Icon name={SEVERITY_ICON[severity]} size={size} />
      <span className={styles['hidden']}>{t(`severity.${severity}`)}</span>
    </span>
  );
}

export function FindingCounts({ counts }: { counts: Counts | null | undefined }) {
  const t = useT();
  const shown = SEVERITIES.filter((severity) => (counts?.[severity] ?? 0) > 0);
  // Not evaluated is not the same as nothing found.
  if (!counts) return <Unknown />;
  if (shown.length === 0) return <span className={styles['none']}>–</span>;
  return (
    <span className={styles['counts']}>
      {shown.map((severity) => (
        <span key={severity} className={styles['severity']} data-severity={severity} title={t(`severity.${severity}`)}>
          <Icon name={SEVERITY_ICON[severity]} size={13} />
          <span className={styles['hidden']}>{t(`severity.${severity}`)}</span>
          <b>{counts[severity]}</b>
        </span>
      ))}
    </span>
  );
}

function Unknown() {
  const t = useT();
  return (
    <span className={styles['none']} title={t('gov.cell.never')}>
      ?
    </span>
  );
}

/** Which whole minutes were counted, and what is not in the counts. */
export function ExactnessLine({ window, exactness }: { window: Minutes | null | undefined; exactness?: Exactness | null | undefined }) {
  const t = useT();
  const parts: string[] = [];
  if (window) parts.push(t('figure.exactness', { from: minute(window.from_ns, window.to_ns), to: minute(window.to_ns, window.from_ns) }));
  if (exactness?.unpaired) parts.push(t('figure.unpaired', { n: exactness.unpaired }));
  if (exactness?.orphans) parts.push(t('figure.orphans', { n: exactness.orphans }));
  if (exactness?.as_of_ns) parts.push(t('figure.asOf', { time: clock(exactness.as_of_ns).slice(0, 8) }));
  return parts.length === 0 ? null : <span className={styles['exactness']}>{parts.join(' · ')}</span>;
}

/** `15:04`, with the day where the other end lies on another one. */
function minute(ns: string, other: string): string {
  const time = clock(ns).slice(0, 5);
  return day(ns) === day(other) ? time : `${day(ns).slice(5)} ${time}`;
}
