// Parts that the panels of nodes and edges share.

import type { ReactNode } from 'react';
import type { Quantiles } from '../../api/types';
import { useT } from '../../i18n';
import { count, duration, percent, rate } from '../../lib/format';
import styles from './panel.module.css';

export function Figures({ calls, errors, seconds }: { calls: number; errors: number; seconds: number }) {
  const t = useT();
  const share = calls === 0 ? 0 : errors / calls;
  return (
    <dl className={styles['figures']}>
      <div>
        <dt>{t('map.calls')}</dt>
        <dd>{count(calls)}</dd>
      </div>
      <div>
        <dt>{t('map.rate')}</dt>
        <dd>{rate(calls / Math.max(1, seconds))}</dd>
      </div>
      <div>
        <dt>{t('map.errors')}</dt>
        <dd>{count(errors)}</dd>
      </div>
      <div>
        <dt>{t('map.errorShare')}</dt>
        <dd data-bad={share >= 0.05}>{percent(share)}</dd>
      </div>
    </dl>
  );
}

export function Latency({ name, side }: { name: string; side: Quantiles | null }) {
  return (
    <tr>
      <th scope="row">{name}</th>
      {side ? (
        [side.p50_ns, side.p95_ns, side.p99_ns].map((value, index) => <td key={index}>{duration(value)}</td>)
      ) : (
        <td colSpan={3}>–</td>
      )}
    </tr>
  );
}

export function Section({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className={styles['section']}>
      <h3>{title}</h3>
      {children}
    </section>
  );
}
