// One trace: header, then the waterfall or its logs, and the selected span beside it.

import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { Link } from 'wouter';
import { ApiError, get } from '../../api/client';
import type { Skeleton } from '../../api/types';
import { useT } from '../../i18n';
import { backTo } from '../../lib/last-search';
import { useUrlState } from '../../lib/use-url-state';
import { ErrorState, Loading, Message, NotesView } from '../../parts/states';
import { paths } from '../../routes';
import { Bar } from '../../shell/Bar';
import { Icon } from '../../ui/Icon';
import { ClocksNote, useSkew } from './Clocks';
import { buildModel, inOrder } from './model';
import { corrected } from './skew';
import { traceCodec } from './state';
import { TraceHeader } from './TraceHeader';
import { TraceLogs } from './TraceLogs';
import { TraceStatistics } from './TraceStatistics';
import { TraceView } from './TraceView';
import styles from './trace.module.css';

export function TracePage({ id }: { id: string }) {
  const t = useT();
  const [state, patch] = useUrlState(traceCodec);
  const trace = useQuery({
    queryKey: ['trace', id],
    queryFn: ({ signal }) => get<Skeleton>(`/traces/${encodeURIComponent(id)}`, { view: 'skeleton' }, signal),
    // A trace may still be growing: look again whenever it is opened.
    staleTime: 0,
    refetchInterval: (query) => (query.state.data?.notes?.maybe_incomplete ? 5000 : false),
  });
  const skew = useSkew(id, trace.data?.id.length ?? null);
  const sent = useMemo(() => (trace.data ? inOrder(trace.data) : null), [trace.data]);
  const moved = useMemo(() => (sent && skew ? corrected(sent, skew.shifts) : null), [sent, skew]);
  const drawn = state.skew ? moved : null;
  const model = useMemo(() => {
    if (drawn) return buildModel(drawn.skeleton, drawn.shift);
    return sent ? buildModel(sent) : null;
  }, [sent, drawn]);
  const root = model?.skeleton.roots.find((row) => !model.orphans.has(row)) ?? 0;
  const service = model?.skeleton.services[model.skeleton.svc[root] ?? -1] ?? '';
  const name = model?.skeleton.names[model.skeleton.name[root] ?? -1] ?? '';
  return (
    <>
      <Bar
        title={model ? `${service} ${name}` : id.slice(0, 8)}
        busy={trace.isFetching}
        heading={
          <span className={styles['crumbs']}>
            <Link href={backTo(paths.traces)}>{t('trace.back')}</Link>
            <Icon name="right" size={14} />
            <span className={styles['crumb']}>
              {service} <span>{name}</span>
            </span>
          </span>
        }
      />
      {trace.isPending && <Loading />}
      {trace.isError && !trace.data && <Failed error={trace.error} id={id} onRetry={() => void trace.refetch()} />}
      {model && (
        <>
          <TraceHeader model={model} movable={moved?.moved ?? 0} state={state} patch={patch} />
          <NotesView notes={[model.skeleton.notes]} />
          {drawn && skew && state.tab === 'waterfall' && <ClocksNote skew={skew} moved={drawn.moved} />}
          {state.tab === 'table' ? (
            <TraceStatistics model={model} state={state} patch={patch} />
          ) : state.tab === 'logs' ? (
            <TraceLogs id={model.skeleton.trace_id} onSpan={(s) => patch({ tab: 'waterfall', s })} />
          ) : (
            <TraceView model={model} state={state} patch={patch} />
          )}
        </>
      )}
    </>
  );
}

function Failed({ error, id, onRetry }: { error: Error; id: string; onRetry: () => void }) {
  const t = useT();
  if (!(error instanceof ApiError && error.status === 404)) return <ErrorState error={error} onRetry={onRetry} />;
  return (
    <Message title={t('trace.missing')}>
      <code>{id}</code>
      <p>{t('trace.missing.hint')}</p>
    </Message>
  );
}
