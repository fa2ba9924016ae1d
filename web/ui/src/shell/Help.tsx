// What the keys do.

import { useT, type Key } from '../i18n';
import { Dialog } from '../ui/Dialog';
import styles from './shell.module.css';

const GROUPS: readonly [Key, readonly [string, Key][]][] = [
  [
    'help.everywhere',
    [
      ['/', 'help.query'],
      ['g t · g l · g m · g s · g v · g q', 'help.goto'],
      ['r', 'help.refresh'],
      ['y', 'help.copy'],
      ['?', 'help.help'],
      ['Esc', 'help.close'],
    ],
  ],
  [
    'help.lists',
    [
      ['j · k', 'help.move'],
      ['Enter', 'help.open'],
    ],
  ],
  [
    'help.trace',
    [
      ['j · k', 'help.move'],
      ['← · →', 'help.fold'],
      ['f · 0', 'help.zoom'],
      ['n · N', 'help.match'],
      ['e', 'help.error'],
      ['c', 'help.critical'],
    ],
  ],
];

export function Help({ onClose }: { onClose: () => void }) {
  const t = useT();
  return (
    <Dialog title={t('help.title')} closeLabel={t('span.close')} onClose={onClose}>
      <div className={styles['help']}>
        {GROUPS.map(([title, keys]) => (
          <section key={title}>
            <h3>{t(title)}</h3>
            <dl>
              {keys.map(([names, text]) => (
                <div key={names}>
                  <dt>
                    {names.split(' · ').map((name) => (
                      <kbd key={name}>{name}</kbd>
                    ))}
                  </dt>
                  <dd>{t(text)}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Dialog>
  );
}
