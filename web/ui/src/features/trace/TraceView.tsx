// The waterfall with its tools and keys, and the panel of the selected span.

import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { useT } from '../../i18n';
import { useKeys } from '../../lib/keys';
import { clamp } from '../../lib/scale';
import { useStoredWidth } from '../../lib/use-stored-width';
import type { Patch } from '../../lib/use-url-state';
import { revealRow } from '../../lib/virtual';
import { Button, IconButton } from '../../ui/Button';
import { Icon } from '../../ui/Icon';
import { Splitter } from '../../ui/Splitter';
import { Minimap } from './Minimap';
import { cycle, displayRows, findRows, hasChildren, isFolded, placeOf, reveal, toggle, type Folding, type TraceModel } from './model';
import { SpanPanel } from './SpanPanel';
import type { TraceState, View } from './state';
import { ROW, Waterfall } from './Waterfall';
import styles from './trace.module.css';

export function TraceView({ model, state, patch }: { model: TraceModel; state: TraceState; patch: Patch<TraceState> }) {
  const t = useT();
  const scroller = useRef<HTMLDivElement>(null);
  const folding = useMemo<Folding>(() => ({ all: state.fold === 'all', toggled: state.x }), [state.fold, state.x]);
  const display = useMemo(() => displayRows(model, folding), [model, folding]);
  const matches = useMemo(() => findRows(model, state.find), [model, state.find]);
  const matched = useMemo(() => new Set(matches), [matches]);
  const [cursor, setCursor] = useState(() => model.rowOf.get(state.s) ?? 0);
  const [panel, setPanel] = useStoredWidth('panel', 440);
  const total = Math.max(1, model.skeleton.duration_ns);
  const view: View = state.z ? [Math.min(state.z[0], total - 1), Math.min(state.z[1], total)] : [0, total];

  const setFolding = useCallback(
    (next: Folding) => patch({ fold: next.all ? 'all' : 'none', x: next.toggled }, { replace: true }),
    [patch],
  );
  const zoom = useCallback(
    (from: number, to: number) => {
      const [start, end] = [clamp(from, 0, total), clamp(to, 0, total)];
      patch({ z: end - start < 1 || (start <= 0 && end >= total) ? null : [Math.floor(start), Math.ceil(end)] }, { replace: true });
    },
    [patch, total],
  );
  const show = useCallback((row: number, rows: Int32Array) => revealRow(scroller.current, placeOf(rows, row), ROW), []);
  const goTo = (row: number | null, options: { open?: boolean } = {}): void => {
    if (row === null) return;
    const next = reveal(model, row, folding);
    const changes: Partial<TraceState> = { fold: next.all ? 'all' : 'none', x: next.toggled };
    if (options.open ?? state.s !== '') changes.s = model.skeleton.id[row] ?? '';
    setCursor(row);
    patch(changes, { replace: true });
    const rows = displayRows(model, next);
    requestAnimationFrame(() => show(row, rows));
  };
  const step = (by: 1 | -1): void => {
    let place = placeOf(display, cursor) + by;
    while ((display[place] ?? 0) < 0) place += by;
    const row = display[clamp(place, 0, display.length - 1)];
    if (row !== undefined && row >= 0) goTo(row);
  };
  const fold = (folded: boolean): void => {
    if (hasChildren(model, cursor) && isFolded(model, cursor, folding) !== folded) setFolding(toggle(model, cursor, folding));
    else if (folded) goTo(Math.max(0, model.skeleton.parent[cursor] ?? 0));
    else step(1);
  };
  const zoomToCursor = (): void => {
    const [start, length] = [model.skeleton.start[cursor] ?? 0, model.skeleton.dur[cursor] ?? 0];
    zoom(start - length * 0.05, start + length * 1.05 + 1);
  };
  useKeys({
    j: () => step(1),
    ArrowDown: () => step(1),
    k: () => step(-1),
    ArrowUp: () => step(-1),
    ArrowLeft: () => fold(true),
    ArrowRight: () => fold(false),
    Enter: () => goTo(cursor, { open: true }),
    Escape: () => patch({ s: '' }, { replace: true }),
    f: zoomToCursor,
    '0': () => patch({ z: null }, { replace: true }),
    n: () => goTo(cycle(matches, cursor, 1)),
    N: () => goTo(cycle(matches, cursor, -1)),
    e: () => goTo(cycle(model.errorRows, cursor, 1)),
    c: () => patch({ cp: !state.cp }, { replace: true }),
  });
  // A link to a span opens at that span; only on arrival, not on every later click.
  const arrived = useRef(false);
  useEffect(() => {
    const row = model.rowOf.get(state.s);
    if (arrived.current || row === undefined) return;
    arrived.current = true;
    setFolding(reveal(model, row, folding));
    const rows = displayRows(model, reveal(model, row, folding));
    requestAnimationFrame(() => show(row, rows));
  }, [model, state.s, folding, setFolding, show]);

  return (
    <div className={styles['view']}>
      <div className={styles['left']}>
        <div className={styles['tools']}>
          <FindBox
            value={state.find}
            matches={matches}
            cursor={cursor}
            onChange={(find) => patch({ find }, { replace: true })}
            onStep={(by) => goTo(cycle(matches, cursor, by))}
          />
          <Button icon="path" pressed={state.cp} title="c" onClick={() => patch({ cp: !state.cp }, { replace: true })}>
            {t('trace.critical')}
          </Button>
          {model.errorRows.length > 0 && (
            <Button icon="error" title="e" onClick={() => goTo(cycle(model.errorRows, cursor, 1))}>
              {t('trace.nextError')}
            </Button>
          )}
          <Button icon="fold" onClick={() => setFolding({ all: state.fold === 'none', toggled: new Set() })}>
            {t(state.fold === 'none' ? 'trace.collapse' : 'trace.expand')}
          </Button>
          {state.z && (
            <Button icon="fit" title="0" onClick={() => patch({ z: null }, { replace: true })}>
              {t('trace.resetZoom')}
            </Button>
          )}
        </div>
        <Minimap model={model} view={view} total={total} onZoom={zoom} />
        <Waterfall
          scroller={scroller}
          model={model}
          display={display}
          folding={folding}
          view={view}
          critical={state.cp}
          cursor={cursor}
          selected={state.s}
          matched={matched}
          searching={state.find !== ''}
          onToggle={(row) => setFolding(toggle(model, row, folding))}
          onSelect={(row) => {
            setCursor(row);
            patch({ s: model.skeleton.id[row] ?? '' }, { replace: state.s !== '' });
          }}
          onZoom={zoom}
        />
      </div>
      {state.s !== '' && (
        <>
          <Splitter label={t('span.title')} width={panel} min={300} max={900} onWidth={setPanel} />
          <SpanPanel
            traceId={model.skeleton.trace_id}
            spanId={state.s}
            t0={model.skeleton.t0}
            width={panel}
            hue={model.hues[model.skeleton.svc[model.rowOf.get(state.s) ?? -1] ?? -1]}
            self={model.skeleton.self[model.rowOf.get(state.s) ?? -1]}
            onClose={() => patch({ s: '' }, { replace: true })}
            onSpan={(id) => goTo(model.rowOf.get(id) ?? null, { open: true })}
          />
        </>
      )}
    </div>
  );
}

interface FindBoxProps {
  value: string;
  matches: readonly number[];
  cursor: number;
  onChange: (text: string) => void;
  onStep: (by: 1 | -1) => void;
}

function FindBox({ value, matches, cursor, onChange, onStep }: FindBoxProps) {
  const t = useT();
  const at = matches.indexOf(cursor) + 1;
  return (
    <div className={styles['find']}>
      <Icon name="search" size={14} />
      <input
        data-query
        type="text"
        aria-label={t('trace.find')}
        placeholder={t('trace.find')}
        value={value}
        spellCheck={false}
        onChange={(event) => onChange(event.target.value)}
        onKeyDown={(event) => {
          if (event.nativeEvent.isComposing) return;
          if (event.key === 'Enter') onStep(event.shiftKey ? -1 : 1);
          if (event.key === 'Escape') event.currentTarget.blur();
        }}
      />
      {value !== '' && (
        <>
          <span role="status">
            {matches.length === 0 ? t('trace.noMatches') : t('trace.matches', { at: at === 0 ? '–' : at, n: matches.length })}
          </span>
          <IconButton icon="up" label={`${t('trace.previous')} · N`} size={14} onClick={() => onStep(-1)} />
          <IconButton icon="down" label={`${t('trace.next')} · n`} size={14} onClick={() => onStep(1)} />
        </>
      )}
    </div>
  );
}
