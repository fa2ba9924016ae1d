// Records as they arrive, newest on top; scrolling down holds the list still.

import { useEffect, useRef, useState } from 'react';
import type { Attribute } from '../../api/types';
import { useT } from '../../i18n';
import { LogTable } from '../../parts/LogTable';
import { Button } from '../../ui/Button';
import { RING } from './ring';
import { useTail } from './use-tail';
import styles from './logs.module.css';

interface LiveTailProps {
  q: string;
  wrap: boolean;
  onFilter: (attribute: Attribute, negated: boolean) => void;
}

export function LiveTail({ q, wrap, onFilter }: LiveTailProps) {
  const t = useT();
  const scroller = useRef<HTMLDivElement>(null);
  const [paused, setPaused] = useState(false);
  const tail = useTail(q, true, paused);
  const any = tail.ring.logs.length > 0;
  useEffect(() => {
    const element = scroller.current;
    if (!element) return undefined;
    const onScroll = (): void => {
      if (element.scrollTop > 4) setPaused(true);
    };
    element.addEventListener('scroll', onScroll, { passive: true });
    return () => element.removeEventListener('scroll', onScroll);
  }, [any]);
  const resume = (): void => {
    scroller.current?.scrollTo({ top: 0 });
    setPaused(false);
  };
  return (
    <>
      <div className={styles['live']} role="status">
        <span className={styles['dot']} data-on={!paused && tail.connected} />
        <b>{t(!tail.connected ? 'logs.live.lost' : paused ? 'logs.live.paused' : 'logs.live.on')}</b>
        <span>{t('logs.live.ring', { n: RING })}</span>
        {tail.ring.dropped > 0 && <span className={styles['dropped']}>{t('logs.live.dropped', { n: tail.ring.dropped })}</span>}
        <span className={styles['spacer']} />
        {paused ? (
          <Button icon="play" onClick={resume}>
            {t('logs.live.resume', { n: tail.waiting })}
          </Button>
        ) : (
          <Button icon="pause" onClick={() => setPaused(true)}>
            {t('logs.live.pause')}
          </Button>
        )}
      </div>
      {any ? (
        <LogTable logs={tail.ring.logs} wide={false} wrap={wrap} scroller={scroller} onFilter={onFilter} />
      ) : (
        <p className={styles['waiting']}>{t('logs.live.waiting')}</p>
      )}
    </>
  );
}
