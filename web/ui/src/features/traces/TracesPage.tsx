// Traces: query, scatter, table.

import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query';
import { useCallback, useEffect, useMemo, useState } from 'react';
import { useLocation, useSearch } from 'wouter';
import { get } from '../../api/client';
import type { TracePage, TraceSummary } from '../../api/types';
import { useT } from '../../i18n';
import { queryDuration } from '../../lib/format';
import { useKeys } from '../../lib/keys';
import { rememberSearch } from '../../lib/last-search';
import { useRange, useWatchWhileEmpty } from '../../lib/range-context';
import { fromMs, toLink, toMs } from '../../lib/time';
import { useUrlState } from '../../lib/use-url-state';
import { Empty } from '../../parts/Onboarding';
import { ErrorState, LoadMore, Loading, NotesView } from '../../parts/states';
import { QueryBar } from '../../query/QueryBar';
import { isComposite, setTerm } from '../../query/terms';
import { rangeParams } from '../../query/use-suggestions';
import { paths, tracePath } from '../../routes';
import { Bar } from '../../shell/Bar';
import { Button } from '../../ui/Button';
import type { Point } from '../../viz/scatter';
import { QuickFilters } from './QuickFilters';
import { Scatter } from './Scatter';
import { tracesCodec } from './state';
import { TraceTable } from './TraceTable';
import styles from './traces.module.css';

const PAGE = 200;

export function TracesPage() {
  const t = useT();
  const [state, patch] = useUrlState(tracesCodec);
  const { range, refresh } = useRange();
  const address = useSearch();
  useEffect(() => rememberSearch(paths.traces, address === '' ? '' : `?${address}`), [address]);
  const [, navigate] = useLocation();
  const [selected, select] = useState(-1);
  const params = { q: state.q, ...rangeParams(range), limit: PAGE };
  const search = useInfiniteQuery({
    queryKey: ['traces', params],
    queryFn: ({ pageParam, signal }) => get<TracePage>('/traces', { ...params, cursor: pageParam }, signal),
    initialPageParam: '',
    getNextPageParam: (last) => last.next,
    placeholderData: keepPreviousData,
  });
  const traces = useMemo(() => unique(search.data?.pages.flatMap((page) => page.traces) ?? []), [search.data]);
  const points = useMemo(() => traces.map(toPoint), [traces]);
  const open = useCallback((id: string) => navigate(tracePath(id)), [navigate]);
  const setQuery = (q: string): void => patch({ q });
  const onBox = (from: number, to: number, low: number, high: number): void => {
    const bounded = setTerm(setTerm(state.q, 'duration', '>=', queryDuration(low)), 'duration', '<=', queryDuration(high));
    patch({ from: toLink(fromMs(from)), to: toLink(fromMs(to)), ...(isComposite(state.q) ? {} : { q: bounded }) });
  };
  const watching = useWatchWhileEmpty(search.isSuccess && traces.length === 0);
  useKeys({
    j: () => select((row) => Math.min(traces.length - 1, row + 1)),
    k: () => select((row) => Math.max(0, row - 1)),
    Enter: () => {
      const trace = traces[selected];
      if (trace) open(trace.trace_id);
    },
  });
  return (
    <>
      <Bar title={t('traces.title')} withTime busy={search.isFetching}>
        {search.isSuccess && traces.length > 0 && (
          <span role="status">{t(search.hasNextPage ? 'traces.foundMore' : 'traces.found', { n: traces.length })}</span>
        )}
      </Bar>
      <QueryBar table="spans" value={state.q} placeholder={t('query.traces.placeholder')} error={search.error} onSubmit={setQuery}>
        <QuickFilters value={state.q} onChange={setQuery} />
        <span className={styles['spacer']} />
        <Button weight="quiet" icon={state.chart ? 'up' : 'down'} onClick={() => patch({ chart: !state.chart }, { replace: true })}>
          {t(state.chart ? 'traces.hideChart' : 'traces.showChart')}
        </Button>
      </QueryBar>
      <NotesView notes={search.data?.pages.map((page) => page.notes) ?? []} />
      <div className={styles['results']}>
        {search.isPending && <Loading />}
        {search.isError && traces.length === 0 && <ErrorState error={search.error} onRetry={() => void search.refetch()} />}
        {search.isSuccess && traces.length === 0 && (
          <Empty title={t('empty.traces')} filtered={state.q !== ''} watching={watching} onClear={() => (setQuery(''), refresh())} />
        )}
        {traces.length > 0 && (
          <>
            {state.chart && (
              <Scatter
                points={points}
                traces={traces}
                range={[toMs(range.from), toMs(range.to)]}
                partial={search.hasNextPage}
                onOpen={open}
                onBox={onBox}
              />
            )}
            <TraceTable traces={traces} selected={selected} wide={range.to - range.from > 86_400_000_000_000n} onOpen={open} />
            <LoadMore
              hasNext={search.hasNextPage}
              busy={search.isFetchingNextPage}
              error={search.isFetchNextPageError ? search.error : null}
              onMore={() => void search.fetchNextPage()}
            />
          </>
        )}
      </div>
    </>
  );
}

/** A trace that grew between two pages can come twice. */
function unique(traces: TraceSummary[]): TraceSummary[] {
  return [...new Map(traces.map((trace) => [trace.trace_id, trace])).values()];
}

function toPoint(trace: TraceSummary): Point {
  return {
    id: trace.trace_id,
    at: toMs(trace.start_ns),
    duration: trace.duration_ns,
    error: trace.error_count > 0,
    spans: trace.span_count,
  };
}
