// A modal on the native element, which brings the focus trap and Escape with it.

import { useEffect, useRef, type ReactNode } from 'react';
import { IconButton } from './Button';
import styles from './ui.module.css';

export function Dialog({
  title,
  closeLabel,
  wide = false,
  onClose,
  children,
}: {
  title: string;
  closeLabel: string;
  wide?: boolean;
  onClose: () => void;
  children: ReactNode;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const element = dialog.current;
    element?.showModal();
    return () => element?.close();
  }, []);
  return (
    <dialog
      ref={dialog}
      className={styles['dialog']}
      data-wide={wide}
      aria-label={title}
      onClose={onClose}
      onClick={(event) => event.target === dialog.current && onClose()}
    >
      <div className={styles['dialogBody']}>
        <header className={styles['dialogHead']}>
          <h2>{title}</h2>
          <IconButton icon="close" label={closeLabel} onClick={onClose} />
        </header>
        {children}
      </div>
    </dialog>
  );
}
