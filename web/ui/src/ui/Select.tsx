// A native select with its name in front, as a filter chip.

import type { ReactNode } from 'react';
import { Icon } from './Icon';
import styles from './ui.module.css';

interface SelectProps {
  label: string;
  value: string;
  disabled?: boolean;
  title?: string | undefined;
  onChange: (value: string) => void;
  children: ReactNode;
}

export function Select({ label, value, disabled = false, title, onChange, children }: SelectProps) {
  return (
    <label className={`${styles['select']} ${value === '' ? '' : styles['selectSet']}`} title={title}>
      <span className={styles['selectLabel']}>{label}</span>
      <select value={value} disabled={disabled} onChange={(event) => onChange(event.target.value)}>
        {children}
      </select>
      <Icon name="down" size={12} />
    </label>
  );
}
