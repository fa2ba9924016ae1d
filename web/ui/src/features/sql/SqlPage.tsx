// Read-only SQL over the stored tables.

import { useMutation } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import { post } from '../../api/client';
import type { SqlAnswer } from '../../api/types';
import { useT } from '../../i18n';
import { count } from '../../lib/format';
import { text, type Codec } from '../../lib/url-state';
import { useUrlState } from '../../lib/use-url-state';
import { ErrorState, NotesView } from '../../parts/states';
import { Bar } from '../../shell/Bar';
import { Button } from '../../ui/Button';
import { Icon } from '../../ui/Icon';
import styles from './sql.module.css';

const codec: Codec<{ q: string }> = { q: text('SELECT service, count(*) AS spans\nFROM spans\nGROUP BY service\nORDER BY spans DESC') };
const TABLES = ['spans', 'logs', 'metrics'];
const LIMIT = 10_000;

export function SqlPage() {
  const t = useT();
  const [state, patch] = useUrlState(codec);
  const [draft, setDraft] = useState(state.q);
  const controller = useRef<AbortController | null>(null);
  const run = useMutation({
    mutationFn: async (query: string) => {
      controller.current = new AbortController();
      const response = await post('/sql', { query, limit: LIMIT }, 'application/json', controller.current.signal);
      return (await response.json()) as SqlAnswer;
    },
  });
  const csv = useMutation({
    mutationFn: async (query: string) => {
      const response = await post('/sql', { query, limit: LIMIT }, 'text/csv');
      save(await response.blob(), 'clew.csv');
    },
  });
  useEffect(() => setDraft(state.q), [state.q]);
  useEffect(() => () => controller.current?.abort(), []);
  const submit = (): void => {
    patch({ q: draft });
    run.mutate(draft);
  };
  const failure = run.error ?? csv.error;
  return (
    <>
      <Bar title={t('sql.title')} busy={run.isPending} />
      <div className={styles['editor']}>
        <textarea
          data-query
          aria-label={t('sql.label')}
          value={draft}
          spellCheck={false}
          rows={Math.min(16, Math.max(6, draft.split('\n').length + 1))}
          onChange={(event) => setDraft(event.target.value)}
          onKeyDown={(event) => {
            if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) submit();
            if (event.key === 'Escape') event.currentTarget.blur();
          }}
        />
        <div className={styles['tools']}>
          {run.isPending ? (
            <Button icon="close" onClick={() => controller.current?.abort()}>
              {t('sql.cancel')}
            </Button>
          ) : (
            <Button icon="play" weight="primary" onClick={submit}>
              {t('sql.run')}
            </Button>
          )}
          <Button icon="download" disabled={csv.isPending} onClick={() => csv.mutate(draft)}>
            {t('sql.csv')}
          </Button>
          <span>{t('sql.hint')}</span>
          <span className={styles['spacer']} />
          <span>{t('sql.tables')}</span>
          {TABLES.map((table) => (
            <Button key={table} weight="quiet" onClick={() => setDraft(`SELECT *\nFROM ${table}\nLIMIT 100`)}>
              <code>{table}</code>
            </Button>
          ))}
        </div>
      </div>
      <NotesView notes={[run.data?.notes]} />
      {failure && failure.name !== 'AbortError' && <ErrorState error={failure} />}
      {run.data && !run.error && <Result answer={run.data} />}
    </>
  );
}

function Result({ answer }: { answer: SqlAnswer }) {
  const t = useT();
  return (
    <>
      <p className={styles['summary']} role="status">
        {t('sql.rows', { n: answer.row_count, ms: count(answer.elapsed_ms) })}
        {answer.truncated && (
          <span className={styles['truncated']}>
            <Icon name="warn" size={14} /> {t('sql.truncated')}
          </span>
        )}
      </p>
      <div className={styles['result']} tabIndex={0}>
        <table className={styles['table']}>
          <thead>
            <tr>
              {answer.columns.map((column, index) => (
                <th key={index} scope="col" data-number={/^(U?Int|Float|Decimal)/.test(column.type)}>
                  {column.name} <span>{column.type}</span>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {answer.rows.map((row, index) => (
              <tr key={index}>
                {row.map((cell, place) => (
                  <td key={place} data-number={typeof cell === 'number'}>
                    {cell === null ? <i>NULL</i> : typeof cell === 'object' ? JSON.stringify(cell) : String(cell)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

function save(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}
