// The trace as a table of sums by service, operation or an attribute.

import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { get } from '../../api/client';
import type { Statistic, TagList, TraceStatistics as Answer } from '../../api/types';
import { useT, type Key } from '../../i18n';
import { count, duration, percent } from '../../lib/format';
import type { Patch } from '../../lib/use-url-state';
import { ServiceTag } from '../../parts/ServiceTag';
import { ErrorState, Loading, Message, NotesView } from '../../parts/states';
import { Button } from '../../ui/Button';
import { Icon } from '../../ui/Icon';
import { Select } from '../../ui/Select';
import type { TraceModel } from './model';
import type { TraceState } from './state';
import { COLUMNS, nextSort, readSort, sortRows, type Column } from './statistics';
import styles from './statistics.module.css';

/** Rows in the document before somebody asks for all: an attribute can be different in every span. */
const FIRST = 300;

const LABELS: Record<Column, Key> = {
  group: 'stats.by',
  count: 'stats.count',
  errors: 'stats.errors',
  total_ns: 'stats.total',
  avg_ns: 'stats.avg',
  min_ns: 'stats.min',
  max_ns: 'stats.max',
  self_total_ns: 'stats.selfTotal',
  self_avg_ns: 'stats.selfAvg',
  self_share: 'stats.selfShare',
};

export function TraceStatistics({ model, state, patch }: { model: TraceModel; state: TraceState; patch: Patch<TraceState> }) {
  const t = useT();
  const [all, setAll] = useState(false);
  const id = model.skeleton.trace_id;
  const answer = useQuery({
    queryKey: ['trace-statistics', id, state.by, model.rows],
    queryFn: ({ signal }) => get<Answer>(`/traces/${encodeURIComponent(id)}/statistics`, { group_by: state.by }, signal),
    enabled: state.by !== '',
    placeholderData: keepPreviousData,
  });
  const rows = useMemo(() => sortRows(answer.data?.rows ?? [], state.sort), [answer.data, state.sort]);
  const known = state.by !== '' && answer.data !== undefined;
  return (
    <div className={styles['lens']}>
      <div className={styles['tools']}>
        <GroupBy model={model} by={state.by} onChange={(by) => patch({ by }, { replace: true })} />
        {known && rows.length > 0 && <span role="status">{t('stats.groups', { n: rows.length })}</span>}
      </div>
      <NotesView notes={[answer.data?.notes]} />
      {state.by === '' && <Message title={t('stats.ask')} />}
      {state.by !== '' && answer.isPending && <Loading />}
      {answer.isError && <ErrorState error={answer.error} onRetry={() => void answer.refetch()} />}
      {known && rows.length === 0 && <Message title={t('stats.none')} />}
      {known && rows.length > 0 && (
        <div className={styles['box']} data-stale={answer.isPlaceholderData} tabIndex={0}>
          <table className={styles['table']}>
            <Head state={state} patch={patch} />
            <tbody>
              {(all ? rows : rows.slice(0, FIRST)).map((row) => (
                <Line key={row.group ?? '\u0000'} row={row} model={model} by={state.by} most={mostSelf(rows)} patch={patch} />
              ))}
            </tbody>
          </table>
          {!all && rows.length > FIRST && (
            <p className={styles['foot']}>
              <Button onClick={() => setAll(true)}>{t('stats.all', { n: rows.length })}</Button>
            </p>
          )}
        </div>
      )}
    </div>
  );
}

function mostSelf(rows: readonly Statistic[]): number {
  return rows.reduce((most, row) => Math.max(most, row.self_total_ns), 1);
}

function Head({ state, patch }: { state: TraceState; patch: Patch<TraceState> }) {
  const t = useT();
  const { column, descending } = readSort(state.sort);
  const label = (name: Column): string => {
    if (name !== 'group') return t(LABELS[name]);
    return state.by === 'service' ? t('stats.service') : state.by === 'operation' ? t('stats.operation') : state.by;
  };
  return (
    <thead>
      <tr>
        {COLUMNS.map((name) => (
          <th
            key={name}
            scope="col"
            data-number={name !== 'group'}
            title={name === 'self_share' ? t('stats.selfShare.title') : undefined}
            aria-sort={column === name ? (descending ? 'descending' : 'ascending') : undefined}
          >
            <button type="button" onClick={() => patch({ sort: nextSort(state.sort, name) }, { replace: true })}>
              {label(name)}
              {column === name && <Icon name={descending ? 'down' : 'up'} size={11} />}
            </button>
          </th>
        ))}
      </tr>
    </thead>
  );
}

interface LineProps {
  row: Statistic;
  model: TraceModel;
  by: string;
  most: number;
  patch: Patch<TraceState>;
}

function Line({ row, model, by, most, patch }: LineProps) {
  const t = useT();
  const { group } = row;
  const service = by === 'service' && group !== null ? model.skeleton.services.indexOf(group) : -1;
  const label = group === null ? t('stats.without') : service < 0 ? group : <ServiceTag name={group} hue={model.hues[service]} />;
  return (
    <tr>
      <td title={group ?? undefined}>
        {by === 'service' || by === 'operation' ? (
          <button type="button" title={t('stats.show')} onClick={() => patch({ tab: 'waterfall', find: group ?? '' })}>
            {label}
          </button>
        ) : (
          label
        )}
      </td>
      <td data-number>{count(row.count)}</td>
      <td data-number data-bad={row.errors > 0}>
        {row.errors > 0 && <Icon name="error" size={12} />} {count(row.errors)}
      </td>
      {[row.total_ns, row.avg_ns, row.min_ns, row.max_ns].map((value, index) => (
        <td key={index} data-number>
          {duration(value)}
        </td>
      ))}
      <td data-number className={styles['self']}>
        <span className={styles['selfBar']} style={{ width: `${(row.self_total_ns / most) * 100}%` }} />
        <b>{duration(row.self_total_ns)}</b>
      </td>
      <td data-number>{duration(row.self_avg_ns)}</td>
      <td data-number>{percent(row.self_share)}</td>
    </tr>
  );
}

function GroupBy({ model, by, onChange }: { model: TraceModel; by: string; onChange: (by: string) => void }) {
  const t = useT();
  const attribute = by !== 'service' && by !== 'operation';
  const [draft, setDraft] = useState(attribute ? by : '');
  return (
    <>
      <Select label={t('stats.by')} value={attribute ? 'attribute' : by} onChange={(kind) => onChange(kind === 'attribute' ? draft : kind)}>
        <option value="service">{t('stats.service')}</option>
        <option value="operation">{t('stats.operation')}</option>
        <option value="attribute">{t('stats.attribute')}</option>
      </Select>
      {attribute && (
        <form
          className={styles['key']}
          onSubmit={(event) => {
            event.preventDefault();
            onChange(draft.trim());
          }}
        >
          <input
            data-query
            type="text"
            list="stats-keys"
            autoFocus={by === ''}
            aria-label={t('stats.key')}
            placeholder={t('stats.key')}
            value={draft}
            spellCheck={false}
            onChange={(event) => {
              setDraft(event.target.value);
              // A choice from the list is whole; typing waits for Enter.
              if (!(event.nativeEvent instanceof InputEvent) || event.nativeEvent.inputType === 'insertReplacementText')
                onChange(event.target.value);
            }}
            onBlur={() => draft.trim() !== by && onChange(draft.trim())}
          />
          <Keys model={model} />
        </form>
      )}
    </>
  );
}

/** Keys that spans of the trace's time have. */
function Keys({ model }: { model: TraceModel }) {
  const { t0, duration_ns } = model.skeleton;
  const params = { table: 'spans', from: t0, to: String(BigInt(t0) + BigInt(Math.ceil(duration_ns)) + 1n) };
  const answer = useQuery({ queryKey: ['tags', params], queryFn: ({ signal }) => get<TagList>('/tags', params, signal) });
  const keys = [...new Set(answer.data?.tags.map(({ key }) => key))];
  return (
    <datalist id="stats-keys">
      {keys.map((key) => (
        <option key={key} value={key} />
      ))}
    </datalist>
  );
}
