// Logs: query, histogram, list; or the live tail of the same query.

import { keepPreviousData, useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useCallback, useMemo, useRef, useState } from 'react';
import { useLocation } from 'wouter';
import { get } from '../../api/client';
import type { Attribute, Histogram, LogPage, LogRecord } from '../../api/types';
import { useT } from '../../i18n';
import { count } from '../../lib/format';
import { useKeys } from '../../lib/keys';
import { useRange, useWatchWhileEmpty } from '../../lib/range-context';
import { toLink } from '../../lib/time';
import { useUrlState } from '../../lib/use-url-state';
import { LOG_ROW, LogTable } from '../../parts/LogTable';
import { Empty } from '../../parts/Onboarding';
import { ErrorState, LoadMore, Loading, NotesView } from '../../parts/states';
import { QueryBar } from '../../query/QueryBar';
import { addCondition, getTerm, isComposite, setTerm } from '../../query/terms';
import { rangeParams, SEVERITIES, useServices } from '../../query/use-suggestions';
import { tracePath } from '../../routes';
import { Bar } from '../../shell/Bar';
import { Button } from '../../ui/Button';
import { Select } from '../../ui/Select';
import { Context } from './Context';
import { LiveTail } from './LiveTail';
import { SeverityHistogram } from './SeverityHistogram';
import { logsCodec } from './state';
import styles from './logs.module.css';

const PAGE = 200;
const BUCKETS = 90;

export function LogsPage() {
  const t = useT();
  const [state, patch] = useUrlState(logsCodec);
  const { range, refresh } = useRange();
  const setQuery = useCallback((q: string) => patch({ q }), [patch]);
  const onFilter = useCallback(
    (attribute: Attribute, negated: boolean) => patch({ q: addCondition(state.q, attribute, negated, 'logs') }),
    [patch, state.q],
  );
  const params = { q: state.q, ...rangeParams(range) };
  const search = useInfiniteQuery({
    queryKey: ['logs', params],
    queryFn: ({ pageParam, signal }) => get<LogPage>('/logs', { ...params, limit: PAGE, cursor: pageParam }, signal),
    initialPageParam: '',
    getNextPageParam: (last) => last.next,
    // In live mode too: an event stream cannot say what is wrong with a query.
    placeholderData: keepPreviousData,
  });
  const histogram = useQuery({
    queryKey: ['histogram', params],
    queryFn: ({ signal }) => get<Histogram>('/logs/histogram', { ...params, buckets: BUCKETS }, signal),
    placeholderData: keepPreviousData,
    enabled: !state.live,
  });
  const logs = useMemo(() => search.data?.pages.flatMap((page) => page.logs) ?? [], [search.data]);
  const watching = useWatchWhileEmpty(!state.live && search.isSuccess && logs.length === 0);
  const wide = range.to - range.from > 86_400_000_000_000n;
  const [showContext, setShowContext] = useState<ReadonlySet<string>>(new Set());
  const toggle = useCallback((id: string) => patch({ open: flipped(state.open, id) }, { replace: true }), [patch, state.open]);
  const table = useLogKeys(logs, toggle);
  const below = useCallback(
    (record: LogRecord) => (
      <Context
        record={record}
        wide={wide}
        shown={showContext.has(record.id)}
        onToggle={() => setShowContext((old) => flipped(old, record.id))}
      />
    ),
    [wide, showContext],
  );
  return (
    <>
      <Bar title={t('logs.title')} withTime busy={search.isFetching && !state.live}>
        {!state.live && histogram.data && <span role="status">{t('logs.found', { n: histogram.data.total })}</span>}
      </Bar>
      <QueryBar table="logs" value={state.q} placeholder={t('query.logs.placeholder')} error={search.error} onSubmit={setQuery}>
        <Filters value={state.q} onChange={setQuery} />
        <span className={styles['spacer']} />
        <Button weight="quiet" icon="wrap" pressed={state.wrap} onClick={() => patch({ wrap: !state.wrap }, { replace: true })}>
          {t('logs.wrap')}
        </Button>
        <Button icon={state.live ? 'pause' : 'play'} pressed={state.live} onClick={() => patch({ live: !state.live })}>
          {t('logs.live')}
        </Button>
      </QueryBar>
      {state.live ? (
        <LiveTail q={state.q} wrap={state.wrap} onFilter={onFilter} />
      ) : (
        <>
          {histogram.data && logs.length > 0 && (
            <SeverityHistogram
              data={histogram.data}
              stale={histogram.isPlaceholderData}
              onZoom={(from, to) => patch({ from: toLink(from), to: toLink(to) })}
              onSeverity={(severity) =>
                isComposite(state.q) ||
                setQuery(setTerm(state.q, 'severity', ':', getTerm(state.q, 'severity', ':') === severity ? '' : severity))
              }
            />
          )}
          <NotesView notes={[...(search.data?.pages.map((page) => page.notes) ?? []), histogram.data?.notes]} />
          {search.isPending && <Loading />}
          {search.isError && logs.length === 0 && <ErrorState error={search.error} onRetry={() => void search.refetch()} />}
          {search.isSuccess && logs.length === 0 && (
            <Empty title={t('empty.logs')} filtered={state.q !== ''} watching={watching} onClear={() => (setQuery(''), refresh())} />
          )}
          {logs.length > 0 && (
            <LogTable
              logs={logs}
              wide={wide}
              wrap={state.wrap}
              cursor={table.cursor}
              scroller={table.scroller}
              open={state.open}
              onOpen={toggle}
              onFilter={onFilter}
              below={below}
              footer={
                <LoadMore
                  hasNext={search.hasNextPage}
                  busy={search.isFetchingNextPage}
                  error={search.isFetchNextPageError ? search.error : null}
                  onMore={() => void search.fetchNextPage()}
                />
              }
            />
          )}
          {logs.length > 0 && (
            <p className={styles['foot']}>
              {count(logs.length)} / {count(histogram.data?.total ?? logs.length)}
            </p>
          )}
        </>
      )}
    </>
  );
}

function flipped(set: ReadonlySet<string>, id: string): ReadonlySet<string> {
  const next = new Set(set);
  if (!next.delete(id)) next.add(id);
  return next;
}

function useLogKeys(logs: readonly LogRecord[], onToggle: (id: string) => void) {
  const scroller = useRef<HTMLDivElement>(null);
  const [cursor, setCursor] = useState<string>();
  const [, navigate] = useLocation();
  const at = logs.findIndex((record) => record.id === cursor);
  const move = (to: number): void => {
    setCursor(logs[to]?.id);
    const element = scroller.current;
    if (!element) return;
    // Open rows make this an estimate; the row stays inside the overscan.
    const top = to * LOG_ROW;
    if (top < element.scrollTop) element.scrollTop = top;
    else if (top + LOG_ROW > element.scrollTop + element.clientHeight) element.scrollTop = top + LOG_ROW - element.clientHeight;
  };
  useKeys({
    j: () => move(Math.min(logs.length - 1, at + 1)),
    k: () => move(Math.max(0, at - 1)),
    Enter: () => cursor !== undefined && onToggle(cursor),
    t: () => {
      const trace = logs[at]?.trace_id;
      if (trace) navigate(tracePath(trace));
    },
  });
  return { scroller, cursor };
}

function Filters({ value, onChange }: { value: string; onChange: (query: string) => void }) {
  const t = useT();
  const { range } = useRange();
  const services = useServices(range);
  if (isComposite(value)) return null;
  const service = getTerm(value, 'service', ':');
  const names = services.data?.services.map((item) => item.id) ?? [];
  return (
    <>
      <Select label={t('filter.service')} value={service} onChange={(next) => onChange(setTerm(value, 'service', ':', next))}>
        <option value="">{t('filter.any')}</option>
        {(service === '' || names.includes(service) ? names : [service, ...names]).map((name) => (
          <option key={name}>{name}</option>
        ))}
      </Select>
      <Select
        label={t('filter.severity')}
        value={getTerm(value, 'severity', '>=')}
        onChange={(next) => onChange(setTerm(value, 'severity', '>=', next))}
      >
        <option value="">{t('filter.any')}</option>
        {SEVERITIES.map((severity) => (
          <option key={severity}>{severity}</option>
        ))}
      </Select>
    </>
  );
}
