// The live tail: one event stream per filter, drawn at most four times a second.

import { useEffect, useRef, useState } from 'react';
import { address } from '../../api/client';
import type { LogRecord } from '../../api/types';
import { drop, emptyRing, push, type Ring } from './ring';

const FLUSH_MS = 250;

export interface Tail {
  ring: Ring;
  connected: boolean;
}

/** While `paused` the list stands still and records gather unseen in `waiting`. */
export function useTail(q: string, on: boolean, paused: boolean): Tail & { waiting: number } {
  const [ring, setRing] = useState<Ring>(emptyRing);
  const [connected, setConnected] = useState(true);
  const [waiting, setWaiting] = useState(0);
  const hold = useRef(paused);
  const held = useRef<Ring>(emptyRing);
  hold.current = paused;
  useEffect(() => {
    setRing(emptyRing);
    setWaiting(0);
    held.current = emptyRing;
    if (!on) return undefined;
    let batch: LogRecord[] = [];
    let lost = 0;
    const source = new EventSource(address('/logs/tail', { q }));
    source.addEventListener('open', () => setConnected(true));
    source.addEventListener('error', () => setConnected(false));
    source.addEventListener('log', (event) => batch.push(JSON.parse(event.data as string) as LogRecord));
    source.addEventListener('dropped', (event) => (lost += (JSON.parse(event.data as string) as { count: number }).count));
    const timer = setInterval(() => {
      if (batch.length > 0 || lost > 0) {
        held.current = drop(push(held.current, batch), lost);
        batch = [];
        lost = 0;
      }
      if (hold.current) setWaiting(held.current.seen);
      else setRing(held.current);
    }, FLUSH_MS);
    return () => {
      clearInterval(timer);
      source.close();
    };
  }, [q, on]);
  return { ring, connected, waiting: Math.max(0, waiting - ring.seen) };
}
