// What a page shows instead of data, and what it says about data that is not whole.

import type { ReactNode } from 'react';
import { ApiError } from '../api/client';
import type { Notes } from '../api/types';
import { useT } from '../i18n';
import { Button } from '../ui/Button';
import { Icon } from '../ui/Icon';
import styles from './parts.module.css';

export function Loading() {
  const t = useT();
  return (
    <div className={styles['loading']} role="status">
      <span className={styles['spinner']} />
      {t('state.loading')}
    </div>
  );
}

export function Message({ title, tone = 'plain', children }: { title: string; tone?: 'plain' | 'error'; children?: ReactNode }) {
  return (
    <div className={styles['message']} data-tone={tone} role={tone === 'error' ? 'alert' : undefined}>
      <h2>
        {tone === 'error' && <Icon name="error" size={18} />}
        {title}
      </h2>
      {children}
    </div>
  );
}

export function ErrorState({ error, onRetry }: { error: Error; onRetry?: () => void }) {
  const t = useT();
  const unreachable = error instanceof ApiError && error.code === 'unreachable';
  return (
    <Message title={unreachable ? t('state.unreachable') : t('state.error')} tone="error">
      <p>
        <code>
          {error instanceof ApiError && error.status > 0 ? `${error.status} ${error.code}: ` : ''}
          {error.message}
        </code>
      </p>
      {onRetry && (
        <Button icon="refresh" onClick={onRetry}>
          {t('state.retry')}
        </Button>
      )}
    </Message>
  );
}

/** Warnings of an answer: never hidden behind a click. */
export function NotesView({ notes }: { notes: (Notes | undefined)[] }) {
  const t = useT();
  const warnings = [...new Set(notes.flatMap((note) => note?.warnings ?? []))];
  if (warnings.length === 0) return null;
  return (
    <ul className={styles['notes']} aria-label={t('state.notes')}>
      {warnings.map((warning) => (
        <li key={warning}>
          <Icon name="warn" size={14} />
          {warning}
        </li>
      ))}
    </ul>
  );
}

interface MoreProps {
  hasNext: boolean;
  busy: boolean;
  error: Error | null;
  onMore: () => void;
}

export function LoadMore({ hasNext, busy, error, onMore }: MoreProps) {
  const t = useT();
  return (
    <div className={styles['loadMore']}>
      {error && (
        <span role="alert" className={styles['inlineError']}>
          <Icon name="error" size={14} /> {error.message}
        </span>
      )}
      {hasNext ? (
        <Button onClick={onMore} disabled={busy}>
          {busy ? t('state.loadingMore') : t('state.more')}
        </Button>
      ) : (
        <span>{t('state.end')}</span>
      )}
    </div>
  );
}
