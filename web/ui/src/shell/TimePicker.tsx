// Time range: relative presets, or two absolute bounds as text.

import { useState, type FormEvent } from 'react';
import { useT, type Key, type Translate } from '../i18n';
import { useRange, useSetTime } from '../lib/range-context';
import { isRelative, localInput, parseInstant, PRESETS, toLink } from '../lib/time';
import type { TimeState } from '../lib/url-state';
import { Button } from '../ui/Button';
import { Icon } from '../ui/Icon';
import { Popover } from '../ui/Popover';
import styles from './shell.module.css';

export function TimePicker() {
  const t = useT();
  const { time, range } = useRange();
  const label = rangeLabel(t, time, range);
  return (
    <Popover
      label={`${t('time.range')}: ${label}`}
      align="end"
      button={
        <>
          <Icon name="clock" size={14} />
          <span className={styles['timeLabel']}>{label}</span>
          <Icon name="down" size={12} />
        </>
      }
    >
      {(close) => <Panel close={close} />}
    </Popover>
  );
}

function Panel({ close }: { close: () => void }) {
  const t = useT();
  const { time, range } = useRange();
  const setTime = useSetTime();
  const [from, setFrom] = useState(isRelative(time.from) ? time.from : localInput(range.from));
  const [to, setTo] = useState(isRelative(time.to) ? time.to : localInput(range.to));
  const [problem, setProblem] = useState<Key | null>(null);
  const apply = (event: FormEvent): void => {
    event.preventDefault();
    const now = Date.now();
    const [start, end] = [parseInstant(from, now), parseInstant(to, now)];
    if (start === null || end === null) return setProblem('time.bad');
    if (start >= end) return setProblem('time.reversed');
    setTime(isRelative(from) ? from.trim() : toLink(start), isRelative(to) ? to.trim() : toLink(end));
    close();
  };
  return (
    <div className={styles['timePanel']}>
      <section>
        <h3>{t('time.presets')}</h3>
        <ul className={styles['menu']}>
          {PRESETS.map((preset) => (
            <li key={preset}>
              <button
                type="button"
                aria-pressed={time.to === 'now' && time.from === preset}
                onClick={() => (setTime(preset, 'now'), close())}
              >
                {presetLabel(t, preset)}
              </button>
            </li>
          ))}
        </ul>
      </section>
      <form onSubmit={apply}>
        <h3>{t('time.absolute')}</h3>
        <label>
          <span>{t('time.from')}</span>
          <input className={styles['field']} value={from} onChange={(event) => setFrom(event.target.value)} spellCheck={false} />
        </label>
        <label>
          <span>{t('time.to')}</span>
          <input className={styles['field']} value={to} onChange={(event) => setTo(event.target.value)} spellCheck={false} />
        </label>
        {problem && (
          <p role="alert" className={styles['problem']}>
            {t(problem)}
          </p>
        )}
        <p className={styles['hint']}>{t('time.local', { zone: Intl.DateTimeFormat().resolvedOptions().timeZone })}</p>
        <Button weight="primary" type="submit">
          {t('time.apply')}
        </Button>
      </form>
    </div>
  );
}

function presetLabel(t: Translate, preset: string): string {
  const match = /^now-(\d+)([smhdw])$/.exec(preset);
  return match ? t(`time.last.${match[2] as 's' | 'm' | 'h' | 'd' | 'w'}`, { n: Number(match[1]) }) : preset;
}

function rangeLabel(t: Translate, time: TimeState, range: { from: bigint; to: bigint }): string {
  if (time.to === 'now' && isRelative(time.from)) return presetLabel(t, time.from);
  const [from, to] = [localInput(range.from), localInput(range.to)];
  return `${from} – ${from.slice(0, 10) === to.slice(0, 10) ? to.slice(11) : to}`;
}
