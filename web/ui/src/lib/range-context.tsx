// The time range of the page: `from` and `to` of the address, resolved against one "now" for all requests of the page.

import { createContext, use, useCallback, useEffect, useMemo, useRef, useState, type ReactNode } from 'react';
import { useLocation, useSearch } from 'wouter';
import { read, write } from './stored';
import { isRelative, resolveRange, type Range } from './time';
import { parseState, timeCodec, type TimeState } from './url-state';

interface TimeContext {
  /** As in the address. */
  time: TimeState;
  range: Range;
  relative: boolean;
  refresh: () => void;
  /** Seconds between refreshes, 0 for none. */
  auto: number;
  setAuto: (seconds: number) => void;
}

/** Older than this, a relative range moves on when the user goes to another page. */
const STALE_MS = 60_000;

const Context = createContext<TimeContext | null>(null);

export function RangeProvider({ children }: { children: ReactNode }) {
  const search = useSearch();
  const [path] = useLocation();
  const named = useMemo(() => parseState(timeCodec, search), [search]);
  const kept = useRef(named);
  // A trace has no time range of its own; the one it was found in waits for the next page.
  const timeless = /^\/traces?\/./.test(path);
  if (!timeless) kept.current = named;
  const time = timeless ? kept.current : named;
  const [now, setNow] = useState(() => Date.now());
  const [auto, choose] = useState(() => Number(read('auto') ?? '0') || 0);
  const relative = isRelative(time.to);
  const shown = useRef({ from: time.from, to: time.to, path });

  useEffect(() => {
    const last = shown.current;
    const moved = last.from !== time.from || last.to !== time.to;
    const visited = last.path !== path;
    shown.current = { from: time.from, to: time.to, path };
    if (moved || visited) setNow((old) => (moved || Date.now() - old > STALE_MS ? Date.now() : old));
  }, [time.from, time.to, path]);

  useEffect(() => {
    if (auto === 0 || !relative) return undefined;
    const timer = setInterval(() => document.visibilityState === 'visible' && setNow(Date.now()), auto * 1000);
    return () => clearInterval(timer);
  }, [auto, relative]);

  const refresh = useCallback(() => setNow(Date.now()), []);
  const setAuto = useCallback((seconds: number) => {
    write('auto', String(seconds));
    choose(seconds);
  }, []);
  const value = useMemo<TimeContext>(
    () => ({ time, range: resolveRange(time.from, time.to, now), relative, refresh, auto, setAuto }),
    [time, now, relative, refresh, auto, setAuto],
  );
  return <Context value={value}>{children}</Context>;
}

export function useRange(): TimeContext {
  const value = use(Context);
  if (!value) throw new Error('useRange outside of RangeProvider');
  return value;
}

/** Sets the time range and leaves the rest of the page's address alone. */
export function useSetTime(): (from: string, to: string) => void {
  const [, navigate] = useLocation();
  return useCallback(
    (from, to) => {
      const params = new URLSearchParams(window.location.search);
      for (const [key, value] of Object.entries(formatted({ from, to }))) {
        if (value === null) params.delete(key);
        else params.set(key, value);
      }
      const query = params.toString();
      navigate(window.location.pathname + (query === '' ? '' : `?${query}`));
    },
    [navigate],
  );
}

function formatted(time: TimeState): Record<keyof TimeState, string | null> {
  return { from: timeCodec.from.format(time.from), to: timeCodec.to.format(time.to) };
}

/** While an answer is empty and the range ends now, look again every few seconds. */
export function useWatchWhileEmpty(empty: boolean): boolean {
  const { relative, refresh } = useRange();
  const watching = empty && relative;
  useEffect(() => {
    if (!watching) return undefined;
    const timer = setInterval(refresh, 3000);
    return () => clearInterval(timer);
  }, [watching, refresh]);
  return watching;
}
