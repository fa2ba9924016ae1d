// The bar of a page: its title, its own controls, then time range, refresh, tenant, language, theme and help.

import { use, useEffect, type ReactNode } from 'react';
import { useI18n } from '../i18n';
import { useRange } from '../lib/range-context';
import { setTheme, useTheme, type Theme } from '../lib/theme';
import { Button, IconButton } from '../ui/Button';
import { Icon, type IconName } from '../ui/Icon';
import { Popover } from '../ui/Popover';
import { HelpContext } from './help-context';
import styles from './shell.module.css';
import { TenantSelect } from './TenantSelect';
import { TimePicker } from './TimePicker';

interface BarProps {
  title: string;
  /** What stands where the title would, e.g. a path of links. */
  heading?: ReactNode;
  withTime?: boolean;
  busy?: boolean;
  children?: ReactNode;
}

const NEXT: Record<Theme, Theme> = { system: 'light', light: 'dark', dark: 'system' };
const ICON: Record<Theme, IconName> = { system: 'system', light: 'sun', dark: 'moon' };

export function Bar({ title, heading, withTime = false, busy = false, children }: BarProps) {
  const { t, language, setLanguage } = useI18n();
  const theme = useTheme();
  const openHelp = use(HelpContext);
  useEffect(() => {
    document.title = `${title} · Clew`;
  }, [title]);
  return (
    <header className={styles['bar']}>
      <h1 className={styles['title']}>{heading ?? title}</h1>
      <div className={styles['barMiddle']}>{children}</div>
      {withTime && <TimePicker />}
      {withTime && <Refresh busy={busy} />}
      <TenantSelect />
      <span className={styles['barGap']} />
      <Button
        weight="quiet"
        className={styles['language'] ?? ''}
        title={t('bar.language.title')}
        lang={language === 'en' ? 'zh-CN' : 'en'}
        onClick={() => setLanguage(language === 'en' ? 'zh' : 'en')}
      >
        {t('bar.language')}
      </Button>
      <IconButton icon={ICON[theme]} label={t(`bar.theme.${theme}`)} onClick={() => setTheme(NEXT[theme])} />
      <IconButton icon="help" label={t('bar.help')} onClick={openHelp} />
      <span className={styles['progress']} data-busy={busy} />
    </header>
  );
}

function Refresh({ busy }: { busy: boolean }) {
  const { t } = useI18n();
  const { refresh, auto, setAuto, relative } = useRange();
  return (
    <div className={styles['refresh']}>
      <button
        type="button"
        className={styles['refreshNow']}
        onClick={refresh}
        title={`${t('bar.refresh')} · r`}
        aria-label={t('bar.refresh')}
        data-busy={busy}
      >
        <Icon name="refresh" size={15} />
        {auto > 0 && relative && <span>{auto}s</span>}
      </button>
      <Popover label={t('bar.auto')} align="end" className={styles['refreshMenu']} button={<Icon name="down" size={12} />}>
        {(close) => (
          <ul className={styles['menu']}>
            {[0, 5, 15, 60].map((seconds) => (
              <li key={seconds}>
                <button type="button" aria-pressed={auto === seconds} onClick={() => (setAuto(seconds), close())}>
                  {seconds === 0 ? t('bar.auto.off') : t('bar.auto.every', { seconds })}
                </button>
              </li>
            ))}
          </ul>
        )}
      </Popover>
    </div>
  );
}
