// The service map: graph, matrix or table, and the figures of what is selected.

import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { get } from '../../api/client';
import type { Graph, ServiceList } from '../../api/types';
import { useT } from '../../i18n';
import { useKeys } from '../../lib/keys';
import { useRange, useWatchWhileEmpty } from '../../lib/range-context';
import { toMs } from '../../lib/time';
import { useUrlState } from '../../lib/use-url-state';
import { Empty } from '../../parts/Onboarding';
import { ErrorState, Loading, NotesView } from '../../parts/states';
import { useFindings } from '../../parts/use-findings';
import { rangeParams } from '../../query/use-suggestions';
import { Bar } from '../../shell/Bar';
import { Button } from '../../ui/Button';
import { EdgeTable } from './EdgeTable';
import { GraphView } from './GraphView';
import { MatrixView } from './MatrixView';
import { buildMap, edgeNamed } from './model';
import { overlay } from './overlay';
import { scoped } from './scope';
import { SelectionPanel } from './SelectionPanel';
import { mapCodec } from './state';
import { Toolbar, TooMany } from './Toolbar';
import styles from './map.module.css';

export function MapPage() {
  const t = useT();
  const [state, patch] = useUrlState(mapCodec);
  const { range } = useRange();
  const inEnv = { ...rangeParams(range), ...(state.env ? { env: state.env } : {}) };
  const params = { ...inEnv, ...(state.scope === 'all' ? {} : { layer: state.scope }) };
  const graph = useQuery({
    queryKey: ['graph', params],
    queryFn: ({ signal }) => get<Graph>('/graph', params, signal),
    placeholderData: keepPreviousData,
  });
  const services = useQuery({
    queryKey: ['services', inEnv],
    queryFn: ({ signal }) => get<ServiceList>('/services', inEnv, signal),
    placeholderData: keepPreviousData,
  });
  const findings = useFindings({ state: 'open', ...(state.env ? { env: state.env } : {}) });
  const seconds = countedSeconds(graph.data, range);
  const known = services.data?.services;
  const whole = useMemo(
    () => (graph.data ? buildMap(graph.data, state.scope === 'infra' ? [] : (known?.map((item) => item.id) ?? []), seconds) : null),
    [graph.data, known, seconds, state.scope],
  );
  const spaces = useMemo(
    () => new Map((known ?? []).flatMap((item) => (item.namespaces?.[0] ? [[item.id, item.namespaces[0]] as const] : []))),
    [known],
  );
  const view = useMemo(
    () => (whole ? scoped(whole, { focus: state.focus, depth: Number(state.depth), ns: state.ns }, spaces) : null),
    [whole, state.focus, state.depth, state.ns, spaces],
  );
  const model = view?.model;
  const found = useMemo(
    () => (whole && view ? overlay(findings.data?.findings ?? [], whole, view.model, view.shownAs) : null),
    [findings.data, whole, view],
  );
  const nodes = useMemo(() => [...(whole?.nodes.values() ?? [])].sort((a, b) => (a.name < b.name ? -1 : 1)), [whole]);
  const empty = whole !== null && whole.edges.length === 0;
  const watching = useWatchWhileEmpty(empty && state.env === '' && state.scope === 'all');
  const select = (sel: string): void => patch({ sel }, { replace: true });
  useKeys({ Escape: () => select('') });
  const selected = model ? (edgeNamed(model.edges, state.sel)?.key ?? state.sel) : state.sel;
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
          {(['graph', 'matrix', 'table'] as const).map((name) => (
            <Button key={name} pressed={state.view === name} onClick={() => patch({ view: name })}>
              {t(`map.${name}`)}
            </Button>
          ))}
        </div>
      </Bar>
      {whole && (
        <Toolbar
          state={state}
          nodes={nodes}
          graph={graph.data}
          focused={view?.scope.kind === 'focus'}
          onChange={(change) => patch(change)}
        />
      )}
      <NotesView notes={[graph.data?.notes]} />
      {graph.isPending && <Loading />}
      {graph.isError && !graph.data && <ErrorState error={graph.error} onRetry={() => void graph.refetch()} />}
      {empty && !graph.isPlaceholderData && (
        <Empty
          title={t('empty.map')}
          filtered={state.env !== '' || state.scope !== 'all'}
          watching={watching}
          onClear={() => patch({ env: '', scope: 'all', focus: '' })}
        />
      )}
      {whole && view && model && found && !empty && (
        <>
          <TooMany total={whole.nodes.size} scoped={view} onAll={() => patch({ ns: '', sel: '' })} />
          <div className={styles['body']}>
            <div className={styles['main']}>
              {state.view === 'graph' && (
                <GraphView
                  model={model}
                  overlay={found}
                  centre={view.scope.kind === 'focus' ? view.scope.id : ''}
                  selected={selected}
                  onSelect={select}
                />
              )}
              {state.view === 'matrix' && (
                <MatrixView
                  model={model}
                  metric={state.metric}
                  selected={selected}
                  onMetric={(metric) => patch({ metric }, { replace: true })}
                  onSelect={select}
                />
              )}
              {state.view === 'table' && <EdgeTable model={model} selected={selected} onSelect={select} />}
              {model.isolated.length > 0 && <Isolated services={model.isolated} selected={selected} onSelect={select} />}
            </div>
            {selected !== '' && (
              <SelectionPanel
                model={model}
                overlay={found}
                params={params}
                env={state.env}
                focus={state.focus}
                selected={selected}
                onSelect={select}
                onFocus={(focus) => patch({ focus, ns: '' })}
                onOpenGroup={(ns) => patch({ ns, focus: '', sel: '' })}
              />
            )}
          </div>
        </>
      )}
    </>
  );
}

/** The whole minutes that were counted, where the answer says so: rates are over them. */
function countedSeconds(graph: Graph | undefined, range: { from: bigint; to: bigint }): number {
  const { window } = graph ?? {};
  const counted = window ? (toMs(window.to_ns) - toMs(window.from_ns)) / 1e3 : 0;
  return counted > 0 ? counted : Number(range.to - range.from) / 1e9;
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
