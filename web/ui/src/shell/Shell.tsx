// The frame: rail on the left, page on the right, keys that work everywhere.

import { useCallback, useEffect, useState, type ReactNode } from 'react';
import { Link, useLocation, useSearch } from 'wouter';
import { useT } from '../i18n';
import { copyText } from '../lib/clipboard';
import { useKeys, type KeyMap } from '../lib/keys';
import { pageLink } from '../lib/links';
import { useRange } from '../lib/range-context';
import { rail, type RailEntry } from '../routes';
import { Icon } from '../ui/Icon';
import { Help } from './Help';
import { HelpContext } from './help-context';
import styles from './shell.module.css';

export function Shell({ children }: { children: ReactNode }) {
  const t = useT();
  const [path, navigate] = useLocation();
  const { time, refresh } = useRange();
  const [help, setHelp] = useState(false);
  const [toast, setToast] = useState(false);
  const openHelp = useCallback(() => setHelp(true), []);
  useEffect(() => {
    if (!toast) return undefined;
    const timer = setTimeout(() => setToast(false), 1600);
    return () => clearTimeout(timer);
  }, [toast]);
  const env = new URLSearchParams(useSearch()).get('env');
  const address = (entry: RailEntry): string => pageLink(entry.path, time, entry.env ? { env } : {});
  const goto: KeyMap = Object.fromEntries(rail.map((entry) => [`g ${entry.key}`, () => navigate(address(entry))]));
  useKeys({
    ...goto,
    '/': () => document.querySelector<HTMLInputElement>('[data-query]')?.focus(),
    '?': openHelp,
    r: refresh,
    y: () => void copyText(window.location.href).then(setToast),
  });
  return (
    <HelpContext value={openHelp}>
      <div className={styles['frame']}>
        <a className={styles['skip']} href="#main">
          {t('nav.skip')}
        </a>
        <nav className={styles['rail']} aria-label={t('nav.label')}>
          <Link href={pageLink('/traces', time)} className={styles['brand']} aria-label="Clew">
            <Mark />
          </Link>
          <ul>
            {rail.map((entry) => (
              <li key={entry.path}>
                <Link
                  href={address(entry)}
                  className={styles['railLink']}
                  aria-current={path.startsWith(entry.path) ? 'page' : undefined}
                  title={`${t(entry.label)} · g ${entry.key}`}
                >
                  <Icon name={entry.icon} size={18} />
                  <span>{t(entry.label)}</span>
                </Link>
              </li>
            ))}
          </ul>
        </nav>
        <main id="main" className={styles['main']} tabIndex={-1}>
          {children}
        </main>
        <div className={styles['toast']} role="status" data-shown={toast}>
          {toast ? t('bar.copied') : ''}
        </div>
        {help && <Help onClose={() => setHelp(false)} />}
      </div>
    </HelpContext>
  );
}

/** A ball of thread with its loose end. */
function Mark() {
  return (
    <svg
      width="26"
      height="26"
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.7"
      strokeLinecap="round"
      aria-hidden="true"
    >
      <circle cx="11" cy="11" r="8" />
      <path d="M4.5 8.500c4-2.500 9-2.500 13 0M3.300 12.500c4.500-2.500 11-2.500 15.400 0M6 17c3-2 7-2 10 0" />
      <path d="M17 16.500c1.500 2.500 3 4 5.500 4" />
    </svg>
  );
}
