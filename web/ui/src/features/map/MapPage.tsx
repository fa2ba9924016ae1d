// The service map: graph or table, and the figures of what is selected.

import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { get } from '../../api/client';
import type { Graph } from '../../api/types';
import { useT } from '../../i18n';
import { useKeys } from '../../lib/keys';
import { useRange, useWatchWhileEmpty } from '../../lib/range-context';
import { useUrlState } from '../../lib/use-url-state';
import { Empty } from '../../parts/Onboarding';
import { ErrorState, Loading, NotesView } from '../../parts/states';
import { rangeParams, useServices } from '../../query/use-suggestions';
import { Bar } from '../../shell/Bar';
import { Button } from '../../ui/Button';
import { EdgeTable } from './EdgeTable';
import { GraphView } from './GraphView';
import { buildMap } from './model';
import { SelectionPanel } from './SelectionPanel';
import { mapCodec } from './state';
import styles from './map.module.css';

export function MapPage() {
  const t = useT();
  const [state, patch] = useUrlState(mapCodec);
  const { range } = useRange();
  const params = rangeParams(range);
  const graph = useQuery({
    queryKey: ['graph', params],
    queryFn: ({ signal }) => get<Graph>('/graph', params, signal),
    placeholderData: keepPreviousData,
  });
  const services = useServices(range);
  const seconds = Number(range.to - range.from) / 1e9;
  const model = useMemo(
    () => (graph.data ? buildMap(graph.data, services.data?.services.map((item) => item.id) ?? [], seconds) : null),
    [graph.data, services.data, seconds],
  );
  const empty = model !== null && model.edges.length === 0;
  const watching = useWatchWhileEmpty(empty);
  const select = (sel: string): void => patch({ sel }, { replace: true });
  useKeys({ Escape: () => select('') });
  return (
    <>
      <Bar title={t('map.title')} withTime busy={graph.isFetching}>
        {model && !empty && (
          <span role="status">
            {t('map.nodes', { n: model.nodes.size })} · {t('map.edges', { n: model.edges.length })}
          </span>
        )}
        <span className={styles['spacer']} />
        <div role="group" aria-label={t('map.title')} className={styles['switch']}>
          <Button pressed={state.view === 'graph'} onClick={() => patch({ view: 'graph' })}>
            {t('map.graph')}
          </Button>
          <Button pressed={state.view === 'table'} onClick={() => patch({ view: 'table' })}>
            {t('map.table')}
          </Button>
        </div>
      </Bar>
      <NotesView notes={[graph.data?.notes]} />
      {graph.isPending && <Loading />}
      {graph.isError && !graph.data && <ErrorState error={graph.error} onRetry={() => void graph.refetch()} />}
      {empty && !graph.isPlaceholderData && <Empty title={t('empty.map')} filtered={false} watching={watching} onClear={() => {}} />}
      {model && !empty && (
        <div className={styles['body']}>
          <div className={styles['main']}>
            {state.view === 'graph' ? (
              <GraphView model={model} selected={state.sel} onSelect={select} />
            ) : (
              <EdgeTable model={model} selected={state.sel} onSelect={select} />
            )}
            {model.isolated.length > 0 && <Isolated services={model.isolated} selected={state.sel} onSelect={select} />}
          </div>
          {state.sel !== '' && <SelectionPanel model={model} selected={state.sel} onSelect={select} />}
        </div>
      )}
    </>
  );
}

/** Services that took part in no call: shown, since a map that hides them lies. */
function Isolated({ services, selected, onSelect }: { services: readonly string[]; selected: string; onSelect: (id: string) => void }) {
  const t = useT();
  return (
    <div className={styles['isolated']}>
      <span>{t('map.isolated')}</span>
      <ul>
        {services.map((service) => (
          <li key={service}>
            <button type="button" aria-pressed={selected === service} onClick={() => onSelect(service)}>
              {service}
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}
