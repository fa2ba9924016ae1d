// The inventory of services: who they are, how they do, and what was found about them.

import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { useLocation } from 'wouter';
import { get } from '../../api/client';
import type { ServiceList } from '../../api/types';
import { useT } from '../../i18n';
import { useKeys } from '../../lib/keys';
import { pageLink } from '../../lib/links';
import { useRange, useWatchWhileEmpty } from '../../lib/range-context';
import { envCodec, flag, text, timeCodec, type Codec, type EnvState, type TimeState } from '../../lib/url-state';
import { useUrlState } from '../../lib/use-url-state';
import { EnvSelect } from '../../parts/EnvSelect';
import { Empty } from '../../parts/Onboarding';
import { ErrorState, Loading, NotesView } from '../../parts/states';
import { rangeParams } from '../../query/use-suggestions';
import { servicePath } from '../../routes';
import { Bar } from '../../shell/Bar';
import { Button } from '../../ui/Button';
import { FilterInput } from '../../ui/FilterInput';
import { Select } from '../../ui/Select';
import { inOrder, layersOf, matches, type Filter } from './model';
import { ServiceTable } from './ServiceTable';
import styles from './services.module.css';

interface ServicesState extends TimeState, EnvState, Filter {
  /** Column, with `-` before it for descending. */
  sort: string;
}
const codec: Codec<ServicesState> = { text: text(), layer: text(), found: flag(), ...envCodec, ...timeCodec, sort: text('id') };

export function ServicesPage() {
  const t = useT();
  const [state, patch] = useUrlState(codec);
  const { range, time } = useRange();
  const [, navigate] = useLocation();
  const [selected, select] = useState(-1);
  const params = { ...rangeParams(range), ...(state.env ? { env: state.env } : {}) };
  const answer = useQuery({
    queryKey: ['services', params],
    queryFn: ({ signal }) => get<ServiceList>('/services', params, signal),
    placeholderData: keepPreviousData,
  });
  const all = answer.data?.services;
  const shown = useMemo(
    () =>
      inOrder(
        (all ?? []).filter((service) => matches(service, state)),
        state.sort,
      ),
    [all, state],
  );
  const layers = useMemo(() => layersOf(all ?? []), [all]);
  const empty = answer.isSuccess && all?.length === 0;
  const watching = useWatchWhileEmpty(empty);
  const open = (id: string): void => navigate(pageLink(servicePath(id), time, { env: state.env }));
  useKeys({
    j: () => select((row) => Math.min(shown.length - 1, row + 1)),
    k: () => select((row) => Math.max(0, row - 1)),
    Enter: () => {
      const service = shown[selected];
      if (service) open(service.id);
    },
  });
  const filtered = state.text !== '' || state.layer !== '' || state.found;
  return (
    <>
      <Bar title={t('services.title')} withTime busy={answer.isFetching}>
        {all && all.length > 0 && (
          <span role="status">
            {filtered ? t('services.shown', { n: shown.length, all: all.length }) : t('services.found', { n: all.length })}
          </span>
        )}
      </Bar>
      {!empty && (
        <div className={styles['filters']}>
          <FilterInput label={t('services.filter')} value={state.text} onChange={(next) => patch({ text: next }, { replace: true })} />
          {layers.length > 0 && (
            <Select label={t('layer.label')} value={state.layer} onChange={(layer) => patch({ layer })}>
              <option value="">{t('services.any')}</option>
              {layers.map((layer) => (
                <option key={layer} value={layer}>
                  {t(`layer.${layer as 'other'}`)}
                </option>
              ))}
            </Select>
          )}
          <EnvSelect value={state.env} onChange={(env) => patch({ env })} />
          <Button pressed={state.found} onClick={() => patch({ found: !state.found })} className={styles['small'] ?? ''}>
            {t('services.withFindings')}
          </Button>
        </div>
      )}
      <NotesView notes={[answer.data?.notes]} />
      {answer.isPending && <Loading />}
      {answer.isError && !answer.data && <ErrorState error={answer.error} onRetry={() => void answer.refetch()} />}
      {empty && (
        <Empty
          title={t('empty.services')}
          filtered={state.env !== ''}
          watching={watching}
          onClear={() => patch({ env: '', text: '', layer: '', found: false })}
        />
      )}
      {shown.length > 0 && (
        <ServiceTable
          services={shown}
          selected={selected}
          sort={state.sort}
          env={state.env}
          onSort={(sort) => patch({ sort }, { replace: true })}
          onOpen={open}
        />
      )}
      {!empty && all && shown.length === 0 && (
        <p className={styles['nothing']}>
          {t('services.noMatch')}{' '}
          <Button weight="quiet" onClick={() => patch({ text: '', layer: '', found: false })}>
            {t('gov.clear')}
          </Button>
        </p>
      )}
    </>
  );
}
