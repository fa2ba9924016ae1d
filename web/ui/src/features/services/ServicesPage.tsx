// Every service with its rate, errors and latency.

import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { Link } from 'wouter';
import { get } from '../../api/client';
import type { Service, ServiceList } from '../../api/types';
import { useT, type Key } from '../../i18n';
import { count, duration, percent, rate } from '../../lib/format';
import { pageLink } from '../../lib/links';
import { useRange, useWatchWhileEmpty } from '../../lib/range-context';
import { text, timeCodec, type Codec, type TimeState } from '../../lib/url-state';
import { useUrlState } from '../../lib/use-url-state';
import { Empty } from '../../parts/Onboarding';
import { ServiceTag } from '../../parts/ServiceTag';
import { ErrorState, Loading, NotesView } from '../../parts/states';
import { quote } from '../../query/terms';
import { rangeParams } from '../../query/use-suggestions';
import { paths } from '../../routes';
import { Bar } from '../../shell/Bar';
import { Icon } from '../../ui/Icon';
import styles from './services.module.css';

interface ServicesState extends TimeState {
  /** Column, with `-` before it for descending. */
  sort: string;
}
const codec: Codec<ServicesState> = { ...timeCodec, sort: text('id') };

type Column = 'id' | 'rate' | 'error_ratio' | 'p50_ns' | 'p95_ns' | 'p99_ns' | 'span_count' | 'operations' | 'instances';
const COLUMNS: readonly [Column, Key | null][] = [
  ['id', 'services.name'],
  ['rate', 'services.rate'],
  ['error_ratio', 'services.errors'],
  ['p50_ns', null],
  ['p95_ns', null],
  ['p99_ns', null],
  ['span_count', 'services.spans'],
  ['operations', 'services.operations'],
  ['instances', 'services.instances'],
];

export function ServicesPage() {
  const t = useT();
  const [state, patch] = useUrlState(codec);
  const { range, time } = useRange();
  const params = rangeParams(range);
  const answer = useQuery({
    queryKey: ['services', params],
    queryFn: ({ signal }) => get<ServiceList>('/services', params, signal),
    placeholderData: keepPreviousData,
  });
  const services = useMemo(() => sorted(answer.data?.services ?? [], state.sort), [answer.data, state.sort]);
  const watching = useWatchWhileEmpty(answer.isSuccess && services.length === 0);
  const [column, descending] = [state.sort.replace(/^-/, ''), state.sort.startsWith('-')];
  const sortBy = (next: Column): void =>
    patch({ sort: column === next ? (descending ? next : `-${next}`) : next === 'id' ? next : `-${next}` }, { replace: true });
  return (
    <>
      <Bar title={t('services.title')} withTime busy={answer.isFetching}>
        {services.length > 0 && <span role="status">{t('services.found', { n: services.length })}</span>}
      </Bar>
      <NotesView notes={[answer.data?.notes]} />
      {answer.isPending && <Loading />}
      {answer.isError && !answer.data && <ErrorState error={answer.error} onRetry={() => void answer.refetch()} />}
      {answer.isSuccess && services.length === 0 && (
        <Empty title={t('empty.services')} filtered={false} watching={watching} onClear={() => {}} />
      )}
      {services.length > 0 && (
        <div className={styles['box']}>
          <table className={styles['table']}>
            <thead>
              <tr>
                {COLUMNS.map(([name, label]) => (
                  <th
                    key={name}
                    scope="col"
                    data-number={name !== 'id'}
                    aria-sort={column === name ? (descending ? 'descending' : 'ascending') : undefined}
                  >
                    <button type="button" onClick={() => sortBy(name)}>
                      {label ? t(label) : name.slice(0, 3)}
                      {column === name && <Icon name={descending ? 'down' : 'up'} size={11} />}
                    </button>
                  </th>
                ))}
                <th scope="col">{t('services.versions')}</th>
                <th scope="col">{t('services.languages')}</th>
                <th scope="col">{t('services.protocols')}</th>
              </tr>
            </thead>
            <tbody>
              {services.map((service) => (
                <tr key={service.id}>
                  <td>
                    <Link href={pageLink(paths.traces, time, { q: `service:${quote(service.id)}` })}>
                      <ServiceTag name={service.id} />
                    </Link>
                  </td>
                  <td data-number>{rate(service.rate)}</td>
                  <td data-number data-bad={service.error_ratio >= 0.05}>
                    {service.errors > 0 && <Icon name="error" size={12} />} {percent(service.error_ratio)}
                  </td>
                  {[service.p50_ns, service.p95_ns, service.p99_ns].map((value, index) => (
                    <td key={index} data-number>
                      {service.calls === 0 ? '–' : duration(value)}
                    </td>
                  ))}
                  <td data-number>{count(service.span_count)}</td>
                  <td data-number>{count(service.operations)}</td>
                  <td data-number>{count(service.instances)}</td>
                  <td>{service.versions.join(', ')}</td>
                  <td>{service.languages.join(', ')}</td>
                  <td>{service.protocols.join(', ')}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </>
  );
}

function sorted(services: readonly Service[], sort: string): Service[] {
  const column = COLUMNS.find(([name]) => name === sort.replace(/^-/, ''))?.[0] ?? 'id';
  const sign = sort.startsWith('-') ? -1 : 1;
  const value = (service: Service): number | string => service[column];
  return [...services].sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    return (x < y ? -1 : x > y ? 1 : 0) * sign || (a.id < b.id ? -1 : 1);
  });
}
