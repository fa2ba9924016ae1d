// The records of the same service instance around one record.

import { useQuery } from '@tanstack/react-query';
import { get } from '../../api/client';
import type { LogContext, LogRecord } from '../../api/types';
import { useT } from '../../i18n';
import { LogLine } from '../../parts/LogTable';
import { ErrorState, Loading } from '../../parts/states';
import { Button } from '../../ui/Button';
import styles from './logs.module.css';

const AROUND = 10;

interface ContextProps {
  record: LogRecord;
  wide: boolean;
  shown: boolean;
  onToggle: () => void;
}

export function Context({ record, wide, shown, onToggle }: ContextProps) {
  const t = useT();
  return (
    <div className={styles['context']}>
      <Button icon="logs" pressed={shown} onClick={onToggle}>
        {t(shown ? 'logs.context.hide' : 'logs.context')}
      </Button>
      {shown && <Lines record={record} wide={wide} />}
    </div>
  );
}

function Lines({ record, wide }: { record: LogRecord; wide: boolean }) {
  const t = useT();
  const answer = useQuery({
    queryKey: ['context', record.id],
    queryFn: ({ signal }) => get<LogContext>(`/logs/${encodeURIComponent(record.id)}/context`, { before: AROUND, after: AROUND }, signal),
  });
  if (answer.isPending) return <Loading />;
  if (answer.isError) return <ErrorState error={answer.error} />;
  const { before, log, after } = answer.data;
  return (
    <ol className={styles['contextLines']} aria-label={t('logs.context.of')}>
      {[...before, log, ...after].map((line) => (
        <li key={line.id} aria-current={line.id === log.id}>
          <LogLine record={line} wide={wide} />
        </li>
      ))}
    </ol>
  );
}
