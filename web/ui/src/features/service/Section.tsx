// A titled part of the page.

import type { ReactNode } from 'react';
import { useT } from '../../i18n';
import table from '../../ui/table.module.css';
import styles from './service.module.css';

interface SectionProps {
  title: string;
  note?: ReactNode;
  actions?: ReactNode;
}

export function Section({ title, note, actions, children }: SectionProps & { children: ReactNode }) {
  return (
    <section className={styles['section']} aria-label={title}>
      <header>
        <h2>{title}</h2>
        {note !== undefined && <span className={styles['note']}>{note}</span>}
        {actions && <span className={styles['actions']}>{actions}</span>}
      </header>
      {children}
    </section>
  );
}

export function Nothing({ children }: { children: ReactNode }) {
  return <p className={styles['nothing']}>{children}</p>;
}

/** A part that is a table, or says that it has no rows. */
export function TableSection({ head, rows, ...section }: SectionProps & { head: ReactNode; rows: readonly ReactNode[] }) {
  const t = useT();
  return (
    <Section {...section}>
      {rows.length === 0 ? (
        <Nothing>{t('service.notSeen')}</Nothing>
      ) : (
        <table className={table['table']}>
          {head}
          <tbody>{rows}</tbody>
        </table>
      )}
    </Section>
  );
}
