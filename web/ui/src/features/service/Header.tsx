// The figures of the whole window.

import type { ReactNode } from 'react';
import type { ServiceDetail } from '../../api/governance';
import { useT } from '../../i18n';
import { count, duration, percent, rate } from '../../lib/format';
import { OutcomeChips } from '../../parts/figures';
import styles from './service.module.css';

export function Header({ detail }: { detail: ServiceDetail }) {
  const t = useT();
  const { service } = detail;
  const called = service.calls > 0;
  return (
    <header className={styles['header']}>
      <dl className={styles['figures']}>
        <Figure name={t('figure.rate')}>{rate(service.rate)}</Figure>
        <Figure name={t('figure.calls')}>{count(service.calls)}</Figure>
        <Figure name={t('service.errorShare')} bad={service.error_ratio >= 0.05}>
          {percent(service.error_ratio)}
        </Figure>
        <Figure name="p50">{called ? duration(service.p50_ns) : '–'}</Figure>
        <Figure name="p95">{called ? duration(service.p95_ns) : '–'}</Figure>
        <Figure name="p99">{called ? duration(service.p99_ns) : '–'}</Figure>
      </dl>
      <dl className={styles['facts']}>
        <Figure name={t('services.outcomes')}>
          <OutcomeChips outcomes={service.outcomes} most={5} />
        </Figure>
        <Figure name={t('service.versions')}>{service.versions.join(', ') || '–'}</Figure>
        <Figure name={t('service.languages')}>{service.languages.join(', ') || '–'}</Figure>
        <Figure name={t('service.protocols')}>{service.protocols.join(', ') || '–'}</Figure>
        {(service.environments?.length ?? 0) > 0 && <Figure name={t('service.environments')}>{service.environments?.join(', ')}</Figure>}
        <Figure name={t('services.coverage')} title={t('services.coverage.what')}>
          {service.coverage?.paired === null || service.coverage?.paired === undefined ? '–' : percent(service.coverage.paired)}
        </Figure>
        {service.logs && (
          <Figure name={t('services.logs')} bad={service.logs.errors > 0}>
            {count(service.logs.errors)} / {count(service.logs.count)}
          </Figure>
        )}
      </dl>
    </header>
  );
}

function Figure({ name, title, bad = false, children }: { name: string; title?: string; bad?: boolean; children: ReactNode }) {
  return (
    <div title={title}>
      <dt>{name}</dt>
      <dd data-bad={bad}>{children}</dd>
    </div>
  );
}
