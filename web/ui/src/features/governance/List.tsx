// Findings by severity, one line for each.

import { useEffect, useRef } from 'react';
import type { Finding, FindingSeverity, Rule } from '../../api/governance';
import { useI18n } from '../../i18n';
import { percent } from '../../lib/format';
import { clock, day } from '../../lib/time';
import { SeverityMark } from '../../parts/figures';
import { inLanguage, label, measureRows } from '../../parts/findings';
import { Heads } from '../../ui/Heads';
import styles from './governance.module.css';

interface ListProps {
  groups: readonly [FindingSeverity, Finding[]][];
  rules: readonly Rule[];
  selected: string;
  onSelect: (id: string) => void;
}

export function List({ groups, rules, selected, onSelect }: ListProps) {
  const { t } = useI18n();
  return (
    <div className={styles['list']}>
      <table>
        <Heads
          of={[
            t('gov.rule'),
            t('gov.claim'),
            `${t('gov.measured')} / ${t('gov.threshold')}`,
            t('gov.confidence'),
            t('gov.firstSeen'),
            t('gov.lastSeen'),
          ]}
        />
        {groups.map(([severity, findings]) => (
          <tbody key={severity}>
            <tr className={styles['group']}>
              <th scope="rowgroup" colSpan={6}>
                <SeverityMark severity={severity} /> {t(`severity.${severity}`)} <span>{findings.length}</span>
              </th>
            </tr>
            {findings.map((finding) => (
              <Row
                key={finding.id}
                finding={finding}
                thresholds={rules.find((rule) => rule.rule === finding.rule)?.thresholds}
                selected={finding.id === selected}
                onSelect={onSelect}
              />
            ))}
          </tbody>
        ))}
      </table>
    </div>
  );
}

function Row({
  finding,
  thresholds,
  selected,
  onSelect,
}: {
  finding: Finding;
  thresholds: Rule['thresholds'] | undefined;
  selected: boolean;
  onSelect: (id: string) => void;
}) {
  const { t, language } = useI18n();
  const row = useRef<HTMLTableRowElement>(null);
  useEffect(() => {
    if (selected) row.current?.scrollIntoView({ block: 'nearest' });
  }, [selected]);
  const main = measureRows(finding, thresholds)[0];
  return (
    <tr
      ref={row}
      data-selected={selected}
      data-severity={finding.severity}
      className={styles['row']}
      onClick={() => onSelect(selected ? '' : finding.id)}
    >
      <td className={styles['rule']}>{finding.rule}</td>
      <td className={styles['claim']}>
        <button
          type="button"
          aria-expanded={selected}
          onClick={(event) => {
            event.stopPropagation();
            onSelect(selected ? '' : finding.id);
          }}
        >
          {inLanguage(finding.claim, language)}
        </button>
        {finding.state !== 'open' && (
          <span className={styles['state']} data-state={finding.state}>
            {finding.state === 'accepted' && finding.accepted_by
              ? t('gov.acceptedBy', { by: finding.accepted_by })
              : t(`gov.state.${finding.state}`)}
          </span>
        )}
      </td>
      <td className={styles['measured']}>
        {main && (
          <>
            <b>{main.measured ?? '–'}</b>
            {main.threshold !== null && <span> / {main.threshold}</span>}
            <small>{label(main.name, t)}</small>
          </>
        )}
      </td>
      <td data-number>{percent(finding.confidence)}</td>
      <td data-number>{when(finding.first_seen_ns, finding.last_seen_ns)}</td>
      <td data-number>{clock(finding.last_seen_ns).slice(0, 8)}</td>
    </tr>
  );
}

/** A time, with its day where that is another one. */
function when(ns: string, reference: string): string {
  const time = clock(ns).slice(0, 8);
  return day(ns) === day(reference) ? time : `${day(ns).slice(5)} ${time.slice(0, 5)}`;
}
