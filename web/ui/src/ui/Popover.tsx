// A panel under a button: closes on Escape, on a click outside and when the focus leaves.

import { useEffect, useRef, useState, type ReactNode } from 'react';
import styles from './ui.module.css';

interface PopoverProps {
  label: string;
  button: ReactNode;
  align?: 'start' | 'end';
  className?: string | undefined;
  children: (close: () => void) => ReactNode;
}

export function Popover({ label, button, align = 'start', className, children }: PopoverProps) {
  const [open, setOpen] = useState(false);
  const host = useRef<HTMLDivElement>(null);
  const trigger = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (!open) return undefined;
    const outside = (event: Event): void => {
      if (event.target instanceof Node && !host.current?.contains(event.target)) setOpen(false);
    };
    const onKey = (event: KeyboardEvent): void => {
      if (event.key !== 'Escape') return;
      event.preventDefault();
      setOpen(false);
      trigger.current?.focus();
    };
    document.addEventListener('pointerdown', outside);
    document.addEventListener('focusin', outside);
    document.addEventListener('keydown', onKey);
    return () => {
      document.removeEventListener('pointerdown', outside);
      document.removeEventListener('focusin', outside);
      document.removeEventListener('keydown', onKey);
    };
  }, [open]);
  const close = (): void => {
    setOpen(false);
    trigger.current?.focus();
  };
  return (
    <div className={styles['popover']} ref={host}>
      <button
        ref={trigger}
        type="button"
        className={className ?? styles['button']}
        aria-expanded={open}
        aria-haspopup="dialog"
        aria-label={label}
        title={label}
        onClick={() => setOpen(!open)}
      >
        {button}
      </button>
      {open && (
        <div className={`${styles['popoverPanel']} ${styles[align]}`} role="dialog" aria-label={label}>
          {children(close)}
        </div>
      )}
    </div>
  );
}
