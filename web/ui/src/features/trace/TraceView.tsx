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
import {
  cycle,
  displayRows,
  findRows,
  hasChildren,
  isFolded,
  nextError,
  placeOf,
  repeatOf,
  REPEAT,
  reveal,
  rowOfCode,
  toggle,
  type Folding,
  type TraceModel,
} from './model';
import { LEAST_REPEATS } from './repeats';
import { SpanPanel } from './SpanPanel';
import type { TraceState, View } from './state';
import { ROW, Waterfall } from './Waterfall';
import styles from './trace.module.css';

export function TraceView({ model, state, patch }: { model: TraceModel; state: TraceState; patch: Patch<TraceState> }) {
  const t = useT();
  const scroller = useRef<HTMLDivElement>(null);
  const folding = useMemo<Folding>(
    () => ({ all: state.fold === 'all', toggled: state.x, repeats: state.rep }),
    [state.fold, state.x, state.rep],
  );
  const display = useMemo(() => displayRows(model, folding), [model, folding]);
  const matches = useMemo(() => findRows(model, state.find), [model, state.find]);
  const matched = useMemo(() => new Set(matches), [matches]);
  // A row, or the ghost or group before one: a code of `display`.
  const [cursor, setCursor] = useState(() => model.rowOf.get(state.s) ?? 0);
  const row = rowOfCode(cursor);
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
  const show = useCallback((code: number, rows: Int32Array) => revealRow(scroller.current, placeOf(rows, code), ROW), []);
  // The span that is on display already: a new one in the address (a link, the way back) is brought into view.
  const shown = useRef('');
  const select = (id: string): void => {
    shown.current = id;
    patch({ s: id }, { replace: true });
  };
  // Kept the same between renders, so that only rows that change are drawn again.
  const onToggle = useCallback((code: number) => setFolding(toggle(model, code, folding)), [model, folding, setFolding]);
  const panelOpen = state.s !== '';
  const onSelect = useCallback(
    (row: number) => {
      setCursor(row);
      shown.current = model.skeleton.id[row] ?? '';
      patch({ s: shown.current }, { replace: panelOpen });
    },
    [model, patch, panelOpen],
  );
  const goTo = (row: number | null, options: { open?: boolean } = {}): void => {
    if (row === null) return;
    const next = reveal(model, row, folding);
    const changes: Partial<TraceState> = { fold: next.all ? 'all' : 'none', x: next.toggled };
    if (options.open ?? state.s !== '') changes.s = shown.current = model.skeleton.id[row] ?? '';
    setCursor(row);
    patch(changes, { replace: true });
    const rows = displayRows(model, next);
    requestAnimationFrame(() => show(row, rows));
  };
  const moveTo = (code: number): void => {
    if (code >= 0 && code < REPEAT) return goTo(code);
    setCursor(code);
    show(code, display);
  };
  const step = (by: 1 | -1): void => {
    const code = display[clamp(placeOf(display, cursor) + by, 0, display.length - 1)];
    if (code !== undefined) moveTo(code);
  };
  const fold = (folded: boolean): void => {
    const foldable = cursor !== row || hasChildren(model, row);
    if (foldable && isFolded(model, cursor, folding) !== folded) setFolding(toggle(model, cursor, folding));
    else if (folded) moveTo(above());
    else step(1);
  };
  /** What the cursor's row hangs under. */
  const above = (): number => {
    const group = cursor === row ? repeatOf(model, row, folding) : undefined;
    if (group) return REPEAT + group.head;
    const parent = model.skeleton.parent[row] ?? -1;
    if (parent >= 0) return parent;
    const ghost = [...model.ghosts].find(([head, { end }]) => head <= row && row < end);
    return ghost ? ~ghost[0] : 0;
  };
  // Where the key `e` led to: from there it goes on, from elsewhere it begins anew.
  const toured = useRef(-1);
  const toNextError = (): void => {
    const next = nextError(model, cursor, toured.current === cursor);
    toured.current = next ?? -1;
    goTo(next);
  };
  const zoomToCursor = (): void => {
    const [start, length] = [model.skeleton.start[row] ?? 0, model.skeleton.dur[row] ?? 0];
    zoom(start - length * 0.05, start + length * 1.05 + 1);
  };
  useKeys({
    j: () => step(1),
    ArrowDown: () => step(1),
    k: () => step(-1),
    ArrowUp: () => step(-1),
    ArrowLeft: () => fold(true),
    ArrowRight: () => fold(false),
    Enter: () => (cursor === row ? goTo(row, { open: true }) : setFolding(toggle(model, cursor, folding))),
    Escape: () => select(''),
    f: zoomToCursor,
    '0': () => patch({ z: null }, { replace: true }),
    n: () => goTo(cycle(matches, row, 1)),
    N: () => goTo(cycle(matches, row, -1)),
    e: toNextError,
    c: () => patch({ cp: !state.cp }, { replace: true }),
  });
  useEffect(() => {
    const wanted = model.rowOf.get(state.s);
    if (shown.current === state.s || wanted === undefined) return;
    shown.current = state.s;
    const next = reveal(model, wanted, folding);
    setFolding(next);
    setCursor(wanted);
    const rows = displayRows(model, next);
    requestAnimationFrame(() => show(wanted, rows));
  }, [model, state.s, folding, setFolding, show]);

  return (
    <div className={styles['view']}>
      <div className={styles['left']}>
        <div className={styles['tools']}>
          <FindBox
            value={state.find}
            matches={matches}
            cursor={row}
            onChange={(find) => patch({ find }, { replace: true })}
            onStep={(by) => goTo(cycle(matches, row, by))}
          />
          <Button icon="path" pressed={state.cp} title="c" onClick={() => patch({ cp: !state.cp }, { replace: true })}>
            {t('trace.critical')}
          </Button>
          {model.errorRows.length > 0 && (
            <Button icon="error" title="e" onClick={toNextError}>
              {t('trace.nextError')}
            </Button>
          )}
          <Button icon="fold" onClick={() => setFolding({ ...folding, all: state.fold === 'none', toggled: new Set() })}>
            {t(state.fold === 'none' ? 'trace.collapse' : 'trace.expand')}
          </Button>
          {model.hasRepeats && (
            <Button
              icon="layers"
              pressed={state.rep}
              title={t('trace.repeats.title', { n: LEAST_REPEATS })}
              onClick={() => patch({ rep: !state.rep }, { replace: true })}
            >
              {t('trace.repeats')}
            </Button>
          )}
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
          onToggle={onToggle}
          onSelect={onSelect}
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
            shift={model.shift?.[model.rowOf.get(state.s) ?? -1] ?? 0}
            self={model.skeleton.self[model.rowOf.get(state.s) ?? -1]}
            onClose={() => select('')}
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
