// A native select with its name in front, as a filter chip.

import type { ReactNode } from 'react';
import { Icon } from './Icon';
import styles from './ui.module.css';

interface SelectProps {
  label: string;
  value: string;
  disabled?: boolean;
  title?: string | undefined;
  /** Narrows what is shown, so that it stands out; by default whenever something is chosen. */
  set?: boolean;
  onChange: (value: string) => void;
  children: ReactNode;
}

export function Select({ label, value, disabled = false, title, set = value !== '', onChange, children }: SelectProps) {
  return (
    <label className={`${styles['select']} ${set ? styles['selectSet'] : ''}`} title={title}>
      <span className={styles['selectLabel']}>{label}</span>
      <select value={value} disabled={disabled} onChange={(event) => onChange(event.target.value)}>
        {children}
      </select>
      <Icon name="down" size={12} />
    </label>
  );
}
