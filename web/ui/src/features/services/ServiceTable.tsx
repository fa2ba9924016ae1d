// One row for each service.

import type { MouseEvent } from 'react';
import { Link } from 'wouter';
import type { Service } from '../../api/types';
import { useT, type Key } from '../../i18n';
import { count, duration, percent, rate } from '../../lib/format';
import { pageLink } from '../../lib/links';
import { useRange } from '../../lib/range-context';
import { FindingCounts, LayerBadge, OutcomeChips, ShareCell } from '../../parts/figures';
import { ServiceTag } from '../../parts/ServiceTag';
import { servicePath } from '../../routes';
import { SortHead } from '../../ui/SortHead';
import table from '../../ui/table.module.css';
import type { Column } from './model';
import styles from './services.module.css';

interface ServiceTableProps {
  services: readonly Service[];
  selected: number;
  sort: string;
  env: string;
  onSort: (sort: string) => void;
  onOpen: (id: string) => void;
}

const HEADS: readonly { column: Column; label: Key | string; number?: boolean; first?: 'down' }[] = [
  { column: 'id', label: 'services.name' },
  { column: 'layer', label: 'services.layer' },
  { column: 'findings', label: 'services.findings', first: 'down' },
  { column: 'rate', label: 'services.rate', number: true },
  { column: 'error_ratio', label: 'services.errors', number: true },
  { column: 'p50_ns', label: 'p50', number: true },
  { column: 'p95_ns', label: 'p95', number: true },
  { column: 'p99_ns', label: 'p99', number: true },
  { column: 'outcomes', label: 'services.outcomes', first: 'down' },
  { column: 'coverage', label: 'services.coverage', number: true },
  { column: 'instances', label: 'services.instances', number: true },
];

export function ServiceTable({ services, selected, sort, env, onSort, onOpen }: ServiceTableProps) {
  const t = useT();
  return (
    <div className={styles['box']}>
      <table className={table['table']}>
        <thead>
          <tr>
            {HEADS.map(({ column, label, number, first }) => (
              <SortHead
                key={column}
                column={column}
                sort={sort}
                label={/^p\d/.test(label) ? label : t(label as Key)}
                title={column === 'coverage' ? t('services.coverage.what') : undefined}
                number={number ?? false}
                {...(first ? { first } : {})}
                onSort={onSort}
              />
            ))}
            <th scope="col">{t('services.versions')}</th>
            <th scope="col">{t('services.protocols')}</th>
            <th scope="col">{t('services.languages')}</th>
          </tr>
        </thead>
        <tbody>
          {services.map((service, index) => (
            <Row key={service.id} service={service} selected={index === selected} env={env} onOpen={onOpen} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Row({ service, selected, env, onOpen }: { service: Service; selected: boolean; env: string; onOpen: (id: string) => void }) {
  const { time } = useRange();
  const onClick = (event: MouseEvent): void => {
    if (!(event.target as Element).closest('a')) onOpen(service.id);
  };
  const paired = service.coverage?.paired ?? null;
  return (
    <tr
      aria-selected={selected}
      className={styles['row']}
      onClick={onClick}
      ref={(element) => {
        if (selected) element?.scrollIntoView({ block: 'nearest' });
      }}
    >
      <td className={styles['name']}>
        <Link href={pageLink(servicePath(service.id), time, { env })}>
          <ServiceTag name={service.id} />
        </Link>
      </td>
      <td>
        <LayerBadge layer={service.layer} source={service.layer_source} />
      </td>
      <td>
        <FindingCounts counts={service.findings} />
      </td>
      <td data-number>{rate(service.rate)}</td>
      <ShareCell share={service.error_ratio} />
      {[service.p50_ns, service.p95_ns, service.p99_ns].map((value, index) => (
        <td key={index} data-number>
          {service.calls === 0 ? '–' : duration(value)}
        </td>
      ))}
      <td>
        <OutcomeChips outcomes={service.outcomes} most={3} />
      </td>
      <td data-number data-warn={paired !== null && paired < 0.8}>
        {paired === null ? '–' : percent(paired)}
      </td>
      <td data-number>{count(service.instances)}</td>
      <td className={styles['list']} title={service.versions.join(', ')}>
        {service.versions.join(', ') || '–'}
      </td>
      <td className={styles['list']} title={service.protocols.join(', ')}>
        {service.protocols.join(', ') || '–'}
      </td>
      <td className={styles['list']}>{service.languages.join(', ') || '–'}</td>
    </tr>
  );
}
