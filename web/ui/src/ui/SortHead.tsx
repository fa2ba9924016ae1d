// A column head that sorts; `sort` is the column's name, with `-` before it for descending.

import { Icon } from './Icon';
import styles from './table.module.css';

interface SortHeadProps {
  column: string;
  sort: string;
  label: string;
  title?: string | undefined;
  number?: boolean;
  /** Which way the first click sorts. */
  first?: 'up' | 'down';
  onSort: (sort: string) => void;
}

export function SortHead({ column, sort, label, title, number = false, first = number ? 'down' : 'up', onSort }: SortHeadProps) {
  const active = sort.replace(/^-/, '') === column;
  const descending = sort.startsWith('-');
  const next = active ? (descending ? column : `-${column}`) : first === 'down' ? `-${column}` : column;
  return (
    <th
      scope="col"
      title={title}
      data-number={number || undefined}
      aria-sort={active ? (descending ? 'descending' : 'ascending') : undefined}
    >
      <button type="button" className={styles['sort']} onClick={() => onSort(next)}>
        {label}
        {active && <Icon name={descending ? 'down' : 'up'} size={11} />}
      </button>
    </th>
  );
}
