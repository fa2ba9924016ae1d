// Accepting a finding, by whom and why, and taking that back. Both ask first.

import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useId, useState, type FormEvent } from 'react';
import { post } from '../../api/client';
import type { Finding } from '../../api/governance';
import { useI18n } from '../../i18n';
import { read, write } from '../../lib/stored';
import { inLanguage } from '../../parts/findings';
import { Button } from '../../ui/Button';
import { Dialog } from '../../ui/Dialog';
import { Icon } from '../../ui/Icon';
import styles from './detail.module.css';

function useDecision(finding: Finding, action: 'accept' | 'reopen', onDone: () => void) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: unknown) => post(`/findings/${encodeURIComponent(finding.id)}/${action}`, body, 'application/json'),
    onSuccess: async () => {
      await Promise.all([
        client.invalidateQueries({ queryKey: ['findings'] }),
        client.invalidateQueries({ queryKey: ['finding', finding.id] }),
      ]);
      onDone();
    },
  });
}

export function Accept({ finding, onClose }: { finding: Finding; onClose: () => void }) {
  const { t, language } = useI18n();
  const [by, setBy] = useState(read('acceptedBy') ?? '');
  const [note, setNote] = useState('');
  const [byId, noteId] = [useId(), useId()];
  const decision = useDecision(finding, 'accept', onClose);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (by.trim() === '') return;
    write('acceptedBy', by.trim());
    decision.mutate({ by: by.trim(), note: note.trim() });
  };
  return (
    <Dialog title={t('gov.accept.title')} closeLabel={t('span.close')} onClose={onClose}>
      <form className={styles['form']} onSubmit={submit}>
        <p>{inLanguage(finding.claim, language)}</p>
        <p className={styles['soft']}>{t('gov.accept.hint')}</p>
        <label htmlFor={byId}>{t('gov.accept.by')}</label>
        <input id={byId} value={by} required maxLength={100} autoFocus onChange={(event) => setBy(event.target.value)} />
        <label htmlFor={noteId}>{t('gov.accept.note')}</label>
        <textarea id={noteId} value={note} rows={3} maxLength={1000} onChange={(event) => setNote(event.target.value)} />
        <Failure error={decision.error} />
        <footer>
          <Button onClick={onClose}>{t('gov.cancel')}</Button>
          <Button type="submit" weight="primary" disabled={decision.isPending || by.trim() === ''}>
            {t('gov.accept')}
          </Button>
        </footer>
      </form>
    </Dialog>
  );
}

export function Reopen({ finding, onClose }: { finding: Finding; onClose: () => void }) {
  const { t, language } = useI18n();
  const decision = useDecision(finding, 'reopen', onClose);
  return (
    <Dialog title={t('gov.reopen.title')} closeLabel={t('span.close')} onClose={onClose}>
      <div className={styles['form']}>
        <p>{inLanguage(finding.claim, language)}</p>
        <p className={styles['soft']}>{t('gov.reopen.hint')}</p>
        <Failure error={decision.error} />
        <footer>
          <Button onClick={onClose}>{t('gov.cancel')}</Button>
          <Button weight="primary" disabled={decision.isPending} onClick={() => decision.mutate({})}>
            {t('gov.reopen')}
          </Button>
        </footer>
      </div>
    </Dialog>
  );
}

function Failure({ error }: { error: Error | null }) {
  if (!error) return null;
  return (
    <p role="alert" className={styles['failure']}>
      <Icon name="error" size={14} /> {error.message}
    </p>
  );
}
