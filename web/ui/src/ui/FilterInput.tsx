// A text box that narrows what is on the page while one types. `/` goes to it, Escape empties it.

import { IconButton } from './Button';
import { Icon } from './Icon';
import styles from './ui.module.css';

interface FilterInputProps {
  label: string;
  value: string;
  clearLabel?: string;
  onChange: (value: string) => void;
}

export function FilterInput({ label, value, clearLabel = '×', onChange }: FilterInputProps) {
  return (
    <div className={styles['filterInput']}>
      <Icon name="search" size={14} />
      <input
        data-query
        value={value}
        placeholder={label}
        aria-label={label}
        spellCheck={false}
        autoComplete="off"
        onChange={(event) => onChange(event.target.value)}
        onKeyDown={(event) => {
          if (event.key !== 'Escape') return;
          if (value === '') event.currentTarget.blur();
          else onChange('');
        }}
      />
      {value !== '' && <IconButton icon="close" size={12} label={clearLabel} onClick={() => onChange('')} />}
    </div>
  );
}
