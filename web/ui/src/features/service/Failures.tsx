// Exceptions and the patterns of log lines, each with a way to the records behind it.

import { Link } from 'wouter';
import type { ServiceDetail } from '../../api/governance';
import { useT } from '../../i18n';
import { compact, count } from '../../lib/format';
import { pageLink } from '../../lib/links';
import { useRange } from '../../lib/range-context';
import { clock } from '../../lib/time';
import { severityLabel, severityVar } from '../../parts/severity';
import { quote } from '../../query/terms';
import { paths, tracePath } from '../../routes';
import { Icon } from '../../ui/Icon';
import table from '../../ui/table.module.css';
import { patternQuery } from './patterns';
import { Nothing, Section } from './Section';
import styles from './service.module.css';

export function Exceptions({ detail }: { detail: ServiceDetail }) {
  const t = useT();
  const rows = [...detail.exceptions].sort((a, b) => b.count - a.count);
  return (
    <Section title={t('service.exceptions')} note={count(rows.length)}>
      {rows.length === 0 ? (
        <Nothing>{t('service.notSeen')}</Nothing>
      ) : (
        <table className={table['table']}>
          <thead>
            <tr>
              <th scope="col">{t('service.exception')}</th>
              <th scope="col" data-number>
                {t('service.count')}
              </th>
              <th scope="col" data-number>
                {t('service.lastSeen')}
              </th>
              <th scope="col">{t('service.examples')}</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((item) => (
              <tr key={`${item.type} ${item.message}`}>
                <td data-wide title={`${item.type}: ${item.message}`}>
                  <b className={styles['type']}>{item.type}</b> <span className={styles['soft']}>{item.message}</span>
                </td>
                <td data-number>{count(item.count)}</td>
                <td data-number>{clock(item.last_ns).slice(0, 8)}</td>
                <td>
                  {item.exemplar ? (
                    <Link href={`${tracePath(item.exemplar.trace_id)}?s=${item.exemplar.span_id}`} title={item.exemplar.trace_id}>
                      <code>{item.exemplar.trace_id.slice(0, 8)}</code>
                    </Link>
                  ) : (
                    '–'
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Section>
  );
}

export function LogPatterns({ detail }: { detail: ServiceDetail }) {
  const t = useT();
  const { time } = useRange();
  const rows = [...detail.log_patterns].sort((a, b) => b.count - a.count);
  return (
    <Section title={t('service.patterns')} note={count(rows.length)}>
      {rows.length === 0 ? (
        <Nothing>{t('service.notSeen')}</Nothing>
      ) : (
        <table className={table['table']}>
          <thead>
            <tr>
              <th scope="col">{t('service.severity')}</th>
              <th scope="col">{t('service.pattern')}</th>
              <th scope="col" data-number>
                {t('service.count')}
              </th>
              <th scope="col" data-number>
                {t('service.lastSeen')}
              </th>
              <th scope="col" />
            </tr>
          </thead>
          <tbody>
            {rows.map((item) => (
              <tr key={`${item.severity} ${item.pattern}`}>
                <td>
                  <span className={styles['level']} style={{ borderColor: `var(${severityVar(item.severity)})` }}>
                    {severityLabel(item.severity, item.severity)}
                  </span>
                </td>
                <td data-wide title={item.pattern}>
                  <code>{item.pattern}</code>
                </td>
                <td data-number>{compact(item.count)}</td>
                <td data-number>{clock(item.last_ns).slice(0, 8)}</td>
                <td>
                  <Link
                    href={pageLink(paths.logs, time, {
                      q: `service:${quote(detail.service.id)} ${patternQuery(item.pattern)}`.trim(),
                      open: item.example_id,
                    })}
                    aria-label={`${t('map.openLogs')}: ${item.pattern}`}
                    title={t('map.openLogs')}
                  >
                    <Icon name="logs" size={14} />
                  </Link>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Section>
  );
}
