// The logs that carry the trace's id, oldest first.

import { useQuery } from '@tanstack/react-query';
import { Link } from 'wouter';
import { get } from '../../api/client';
import type { LogPage } from '../../api/types';
import { useT } from '../../i18n';
import { LogTable } from '../../parts/LogTable';
import { ErrorState, Loading, Message, NotesView } from '../../parts/states';
import { paths } from '../../routes';
import styles from './trace.module.css';

const LIMIT = 1000;

export function TraceLogs({ id, onSpan }: { id: string; onSpan: (spanId: string) => void }) {
  const t = useT();
  const answer = useQuery({
    queryKey: ['trace-logs', id],
    queryFn: ({ signal }) => get<LogPage>(`/traces/${id}/logs`, { limit: LIMIT }, signal),
    staleTime: 0,
  });
  if (answer.isPending) return <Loading />;
  if (answer.isError) return <ErrorState error={answer.error} onRetry={() => void answer.refetch()} />;
  const { logs, next, notes } = answer.data;
  if (logs.length === 0) return <Message title={t('trace.noLogs')} />;
  return (
    <>
      <NotesView notes={[notes]} />
      <LogTable
        logs={logs}
        wide={false}
        wrap={false}
        onOpenSpan={(log) => log.span_id && onSpan(log.span_id)}
        footer={
          <p className={styles['logsFoot']}>
            {next === null ? (
              t('logs.found', { n: logs.length })
            ) : (
              <Link href={`${paths.logs}?q=${encodeURIComponent(`trace_id:${id}`)}&from=now-1w`}>{t('trace.openLogs')}</Link>
            )}
          </p>
        }
      />
    </>
  );
}
