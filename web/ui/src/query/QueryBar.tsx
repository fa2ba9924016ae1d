// The query as text with completion, and below it the same query as chips.

import { useEffect, useId, useRef, useState, type KeyboardEvent, type ReactNode } from 'react';
import { ApiError } from '../api/client';
import { useT } from '../i18n';
import { useRange } from '../lib/range-context';
import { Button, IconButton } from '../ui/Button';
import { Icon } from '../ui/Icon';
import { accept, slotAt, type Suggestion } from './completion';
import styles from './query.module.css';
import { isComposite, removeAt, terms, type Table } from './terms';
import { useSuggestions } from './use-suggestions';

interface QueryBarProps {
  table: Table;
  value: string;
  placeholder: string;
  error: Error | null;
  onSubmit: (text: string) => void;
  /** Quick filters beside the chips. */
  children?: ReactNode;
}

export function QueryBar({ table, value, placeholder, error, onSubmit, children }: QueryBarProps) {
  const t = useT();
  const chips = isComposite(value) ? [] : terms(value);
  const queryError = error instanceof ApiError && error.code === 'bad_request' ? error : null;
  return (
    <search className={styles['bar']}>
      <QueryInput table={table} value={value} placeholder={placeholder} error={queryError} onSubmit={onSubmit} />
      <div className={styles['filters']}>
        {children}
        {chips.length > 0 && (
          <ul className={styles['chips']} aria-label={t('query.conditions')}>
            {chips.map((term) => (
              <li key={`${term.start} ${term.raw}`} className={styles['chip']} data-negated={term.negated}>
                <code>{term.raw}</code>
                <button type="button" aria-label={t('query.remove', { term: term.raw })} onClick={() => onSubmit(removeAt(value, term))}>
                  <Icon name="close" size={12} />
                </button>
              </li>
            ))}
          </ul>
        )}
      </div>
    </search>
  );
}

function QueryInput({
  table,
  value,
  placeholder,
  error,
  onSubmit,
}: Omit<QueryBarProps, 'children' | 'error'> & { error: ApiError | null }) {
  const t = useT();
  const { range } = useRange();
  const [draft, setDraft] = useState(value);
  const [caret, setCaret] = useState(0);
  const [focused, setFocused] = useState(false);
  const [open, setOpen] = useState(false);
  const [choice, setChoice] = useState(-1);
  const input = useRef<HTMLInputElement>(null);
  const id = useId();
  useEffect(() => setDraft(value), [value]);

  const slot = slotAt(draft, caret);
  const suggestions = useSuggestions(table, slot, draft, range, focused);
  const shown = focused && open && suggestions.items.length > 0;

  const submit = (text: string): void => {
    setOpen(false);
    onSubmit(text.trim());
  };
  const take = (suggestion: Suggestion): void => {
    if (!slot) return;
    const next = accept(draft, slot, suggestion);
    setDraft(next.text);
    setCaret(next.caret);
    setChoice(-1);
    requestAnimationFrame(() => {
      input.current?.focus();
      input.current?.setSelectionRange(next.caret, next.caret);
    });
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    // Enter that ends the input of Chinese characters is not a search.
    if (event.nativeEvent.isComposing) return;
    const move = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    if (move !== 0 && suggestions.items.length > 0) {
      event.preventDefault();
      setOpen(true);
      setChoice((old) => (old + move + suggestions.items.length + (old < 0 && move < 0 ? 1 : 0)) % suggestions.items.length);
      return;
    }
    const chosen = shown ? suggestions.items[choice] : undefined;
    if ((event.key === 'Enter' || event.key === 'Tab') && chosen) {
      event.preventDefault();
      take(chosen);
    } else if (event.key === 'Enter') submit(draft);
    else if (event.key === 'Escape') {
      if (shown) setOpen(false);
      else input.current?.blur();
    }
  };
  const sync = (): void => setCaret(input.current?.selectionStart ?? draft.length);

  return (
    <div className={styles['inputRow']}>
      <div className={styles['field']} data-error={error !== null}>
        <Icon name="search" size={15} />
        <input
          ref={input}
          data-query
          type="text"
          role="combobox"
          aria-label={t('query.label')}
          aria-expanded={shown}
          aria-controls={`${id}-list`}
          aria-autocomplete="list"
          aria-activedescendant={shown && choice >= 0 ? `${id}-${choice}` : undefined}
          aria-invalid={error !== null}
          value={draft}
          placeholder={placeholder}
          spellCheck={false}
          autoComplete="off"
          autoCapitalize="off"
          onChange={(event) => {
            setDraft(event.target.value);
            setCaret(event.target.selectionStart ?? event.target.value.length);
            setOpen(true);
            setChoice(-1);
          }}
          onSelect={sync}
          onFocus={() => setFocused(true)}
          onBlur={() => {
            setFocused(false);
            setOpen(false);
          }}
          onMouseDown={() => setOpen(true)}
          onKeyDown={onKeyDown}
        />
        {draft !== '' && (
          <IconButton
            icon="close"
            label={t('query.clear')}
            size={14}
            onClick={() => {
              setDraft('');
              submit('');
            }}
          />
        )}
        <kbd aria-hidden="true">/</kbd>
        {shown && (
          <ul id={`${id}-list`} className={styles['suggestions']} role="listbox" aria-label={t('query.suggestions')}>
            {suggestions.items.map((item, index) => (
              // The list is driven from the input: pointer users click, keyboard users press arrows there.
              <li
                key={`${item.kind} ${item.text}`}
                id={`${id}-${index}`}
                role="option"
                aria-selected={index === choice}
                onMouseDown={(event) => (event.preventDefault(), take(item))}
              >
                <code>{item.text}</code>
                <span>{item.detail === '' ? t(`query.kind.${item.kind}`) : item.detail}</span>
              </li>
            ))}
            {suggestions.more && <li className={styles['more']}>{t('query.moreValues')}</li>}
          </ul>
        )}
      </div>
      <Button weight="primary" onClick={() => submit(draft)}>
        {t('query.run')}
      </Button>
      {error && <QueryError text={value} error={error} />}
    </div>
  );
}

/** The message, and the query with a mark under the place the server names. */
function QueryError({ text, error }: { text: string; error: ApiError }) {
  // The server counts bytes of UTF-8.
  const at = error.position === null ? null : new TextDecoder().decode(new TextEncoder().encode(text).subarray(0, error.position)).length;
  return (
    <div className={styles['error']} role="alert">
      <Icon name="error" size={15} />
      <span>{error.message}</span>
      {at !== null && (
        <code>
          {text.slice(Math.max(0, at - 24), at)}
          <mark>{text.slice(at, at + 1) || '␣'}</mark>
          {text.slice(at + 1, at + 25)}
        </code>
      )}
    </div>
  );
}
