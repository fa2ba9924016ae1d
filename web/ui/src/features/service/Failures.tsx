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
import { Heads } from '../../ui/Heads';
import { Icon } from '../../ui/Icon';
import { patternQuery } from './patterns';
import { TableSection } from './Section';
import styles from './service.module.css';

export function Exceptions({ detail }: { detail: ServiceDetail }) {
  const t = useT();
  const rows = [...detail.exceptions].sort((a, b) => b.count - a.count);
  return (
    <TableSection
      title={t('service.exceptions')}
      note={count(rows.length)}
      head={
        <Heads of={[t('service.exception'), { number: t('service.count') }, { number: t('service.lastSeen') }, t('service.examples')]} />
      }
      rows={rows.map((item) => (
        <tr key={`${item.type} ${item.message}`}>
          <td data-wide title={`${item.type}: ${item.message}`}>
            <b className={styles['type']}>{item.type}</b> <span className={styles['soft']}>{item.message}</span>
          </td>
          <td data-number>{count(item.count)}</td>
          <td data-number>{clock(item.last_ns).slice(0, 8)}</td>
          <td>
            {item.exemplar ? (
              <Link href={tracePath(item.exemplar.trace_id, item.exemplar.span_id)} title={item.exemplar.trace_id}>
                <code>{item.exemplar.trace_id.slice(0, 8)}</code>
              </Link>
            ) : (
              '–'
            )}
          </td>
        </tr>
      ))}
    />
  );
}

export function LogPatterns({ detail }: { detail: ServiceDetail }) {
  const t = useT();
  const { time } = useRange();
  const rows = [...detail.log_patterns].sort((a, b) => b.count - a.count);
  return (
    <TableSection
      title={t('service.patterns')}
      note={count(rows.length)}
      head={
        <Heads of={[t('service.severity'), t('service.pattern'), { number: t('service.count') }, { number: t('service.lastSeen') }, '']} />
      }
      rows={rows.map((item) => (
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
    />
  );
}
