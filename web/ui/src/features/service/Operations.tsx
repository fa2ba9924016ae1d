// What the service can be asked, and how each of it goes.

import { useState } from 'react';
import { Link } from 'wouter';
import type { ServiceDetail } from '../../api/governance';
import { useT } from '../../i18n';
import { count, duration } from '../../lib/format';
import { pageLink } from '../../lib/links';
import { useRange } from '../../lib/range-context';
import { OutcomeChips, ShareCell } from '../../parts/figures';
import { quote } from '../../query/terms';
import { paths, tracePath } from '../../routes';
import { Button } from '../../ui/Button';
import { SortHead } from '../../ui/SortHead';
import { operationsInOrder } from './model';
import { TableSection } from './Section';

const FIRST = 12;

export function Operations({ detail, sort, onSort }: { detail: ServiceDetail; sort: string; onSort: (sort: string) => void }) {
  const t = useT();
  const { time } = useRange();
  const [whole, setWhole] = useState(false);
  const all = operationsInOrder(detail.operations, sort);
  const shown = whole ? all : all.slice(0, FIRST);
  const head = (column: string, label: string) => <SortHead column={column} sort={sort} label={label} number onSort={onSort} />;
  return (
    <TableSection
      title={t('service.operations')}
      note={count(all.length)}
      actions={
        all.length > FIRST && (
          <Button weight="quiet" icon={whole ? 'up' : 'down'} onClick={() => setWhole(!whole)}>
            {count(all.length)}
          </Button>
        )
      }
      head={
        <thead>
          <tr>
            <SortHead column="name" sort={sort} label={t('service.operation')} onSort={onSort} />
            <th scope="col">{t('map.protocol')}</th>
            {head('calls', t('figure.calls'))}
            {head('error_ratio', t('figure.errors'))}
            {head('p50', 'p50')}
            {head('p95', 'p95')}
            {head('p99', 'p99')}
            <th scope="col">{t('services.outcomes')}</th>
            <th scope="col" title={t('service.exemplars')}>
              {t('service.examples')}
            </th>
          </tr>
        </thead>
      }
      rows={shown.map((operation) => {
        const share = operation.calls === 0 ? 0 : operation.errors / operation.calls;
        const q = `service:${quote(detail.service.id)} operation:${quote(operation.name)}`;
        return (
          <tr key={`${operation.name} ${operation.protocol}`}>
            <td data-wide title={operation.name}>
              <Link href={pageLink(paths.traces, time, { q })}>{operation.name}</Link>
            </td>
            <td data-soft>{operation.protocol ?? '–'}</td>
            <td data-number>{count(operation.calls)}</td>
            <ShareCell share={share} />
            {(['p50_ns', 'p95_ns', 'p99_ns'] as const).map((name) => (
              <td key={name} data-number>
                {operation.latency ? duration(operation.latency[name]) : '–'}
              </td>
            ))}
            <td>
              <OutcomeChips outcomes={operation.outcomes} most={2} />
            </td>
            <td>
              {operation.exemplars.slice(0, 3).map((exemplar, index) => (
                <span key={exemplar.span_id}>
                  {index > 0 && ' '}
                  <Link href={tracePath(exemplar.trace_id, exemplar.span_id)} title={exemplar.trace_id}>
                    <code>{exemplar.trace_id.slice(0, 4)}</code>
                  </Link>
                </span>
              ))}
            </td>
          </tr>
        );
      })}
    />
  );
}
