// The virtualised waterfall: 24-pixel rows, only those on screen are in the document.

import { memo, useRef, type CSSProperties, type RefObject } from 'react';
import { useT } from '../../i18n';
import { hueVar } from '../../lib/color';
import { duration } from '../../lib/format';
import { fixedWindow, linearTicks } from '../../lib/scale';
import { useStoredWidth } from '../../lib/use-stored-width';
import { useSize } from '../../lib/use-size';
import { useScroll } from '../../lib/virtual';
import { Icon } from '../../ui/Icon';
import { Splitter } from '../../ui/Splitter';
import { useDrag } from '../../viz/use-drag';
import viz from '../../viz/viz.module.css';
import { hasChildren, isFolded, STATUS_ERROR, type Folding, type TraceModel } from './model';
import type { View } from './state';
import styles from './waterfall.module.css';

export const ROW = 24;
const OVERSCAN = 8;

interface WaterfallProps {
  scroller: RefObject<HTMLDivElement | null>;
  model: TraceModel;
  display: Int32Array;
  folding: Folding;
  view: View;
  critical: boolean;
  cursor: number;
  selected: string;
  matched: ReadonlySet<number>;
  searching: boolean;
  onToggle: (row: number) => void;
  onSelect: (row: number) => void;
  onZoom: (from: number, to: number) => void;
}

export function Waterfall(props: WaterfallProps) {
  const { scroller, model, display, folding, view, cursor, selected, onZoom } = props;
  const t = useT();
  const scroll = useScroll(scroller);
  const [names, setNames] = useStoredWidth('names', 400);
  const { start, end } = fixedWindow(display.length, ROW, scroll.top, scroll.height, OVERSCAN);
  const pool = Math.ceil(scroll.height / ROW) + 2 * OVERSCAN + 2;
  // Deep traces indent less, so that names stay in their column.
  const indent = Math.min(14, Math.max(2, (names * 0.45) / Math.max(1, model.maxDepth)));
  return (
    <div className={styles['waterfall']} style={{ '--names': `${names}px` } as CSSProperties}>
      <div className={styles['head']}>
        <div className={styles['headNames']}>{t('trace.operation')}</div>
        <Splitter label={t('trace.operation')} side="left" width={names} min={160} max={900} onWidth={setNames} />
        <Axis view={view} onZoom={onZoom} />
      </div>
      <div
        ref={scroller}
        className={styles['scroller']}
        tabIndex={0}
        role="treegrid"
        aria-label={t('trace.rows')}
        aria-rowcount={display.length}
      >
        <div className={styles['rows']} role="presentation" style={{ height: display.length * ROW }}>
          {Array.from(display.subarray(start, end), (code, index) => {
            const top = (start + index) * ROW;
            // Rows that scroll in take over the elements of rows that scroll out.
            const slot = (start + index) % pool;
            if (code < 0) return <Ghost key={`ghost ${slot}`} top={top} place={start + index} count={model.ghosts.get(~code) ?? 1} />;
            return (
              <Row
                key={slot}
                row={code}
                top={top}
                place={start + index}
                model={model}
                from={view[0]}
                to={view[1]}
                indent={indent}
                folded={isFolded(model, code, folding)}
                critical={props.critical}
                cursor={cursor === code}
                selected={selected !== '' && selected === model.skeleton.id[code]}
                match={props.matched.has(code)}
                dim={props.searching && !props.matched.has(code)}
                onToggle={props.onToggle}
                onSelect={props.onSelect}
              />
            );
          })}
        </div>
      </div>
    </div>
  );
}

function Axis({ view, onZoom }: { view: View; onZoom: (from: number, to: number) => void }) {
  const [from, to] = view;
  const span = Math.max(1, to - from);
  const host = useRef<HTMLDivElement>(null);
  const { width } = useSize(host);
  const at = (x: number): number => from + (x / Math.max(1, width)) * span;
  const drag = useDrag(
    (box) => onZoom(at(box.x0), at(box.x1)),
    () => {},
  );
  return (
    <div ref={host} className={styles['axis']} {...drag.handlers}>
      {linearTicks(from, to, 6).map((tick) => (
        <span key={tick} style={{ left: `${((tick - from) / span) * 100}%` }}>
          {tick === 0 ? '0' : duration(tick)}
        </span>
      ))}
      {drag.box && <div className={viz['selection']} style={{ left: drag.box.x0, width: drag.box.x1 - drag.box.x0, top: 0, bottom: 0 }} />}
    </div>
  );
}

interface RowProps {
  row: number;
  top: number;
  place: number;
  model: TraceModel;
  from: number;
  to: number;
  indent: number;
  folded: boolean;
  critical: boolean;
  cursor: boolean;
  selected: boolean;
  match: boolean;
  dim: boolean;
  onToggle: (row: number) => void;
  onSelect: (row: number) => void;
}

const Row = memo(function Row(props: RowProps) {
  const { row, top, place, model, indent, folded, cursor, selected, match, dim, onToggle, onSelect } = props;
  const t = useT();
  const { skeleton } = model;
  const depth = model.depth[row] ?? 0;
  const service = skeleton.services[skeleton.svc[row] ?? -1] ?? '';
  const name = skeleton.names[skeleton.name[row] ?? -1] ?? '';
  const parent = hasChildren(model, row);
  const failed = skeleton.status[row] === STATUS_ERROR;
  const inside = (model.last[row] ?? 0) - row - 1;
  return (
    <div
      className={styles['row']}
      role="row"
      aria-level={depth + 1}
      aria-rowindex={place + 1}
      aria-expanded={parent ? !folded : undefined}
      aria-selected={selected}
      data-cursor={cursor}
      data-match={match}
      data-dim={dim}
      style={{ transform: `translateY(${top}px)` }}
      onClick={() => onSelect(row)}
    >
      <div className={styles['name']} role="gridcell" title={`${service} · ${name}`}>
        <span className={styles['guides']} style={{ width: depth * indent, backgroundSize: `${indent}px 100%` }} />
        {parent ? (
          <button
            type="button"
            tabIndex={-1}
            className={styles['caret']}
            aria-label={`${folded ? '+' : '−'} ${name}`}
            title={t('trace.hidden', { n: inside })}
            onClick={(event) => {
              event.stopPropagation();
              onToggle(row);
            }}
          >
            <Icon name={folded ? 'right' : 'down'} size={12} />
          </button>
        ) : (
          <span className={styles['caret']} />
        )}
        <span className={styles['hue']} style={{ background: hueVar(model.hues[skeleton.svc[row] ?? 0] ?? 0) }} />
        {failed && (
          <span className={styles['bad']} title={skeleton.outcomes[skeleton.outcome[row] ?? -1]}>
            <Icon name="error" size={13} />
          </span>
        )}
        <span className={styles['service']}>{service}</span>
        <span className={styles['operation']}>{name}</span>
        {folded && <span className={styles['inside']}>{inside}</span>}
      </div>
      <div className={styles['time']} role="gridcell">
        <Bar {...props} failed={failed} />
      </div>
    </div>
  );
});

function Bar({ row, model, from, to, critical, failed }: RowProps & { failed: boolean }) {
  const { skeleton } = model;
  const span = Math.max(1, to - from);
  const start = skeleton.start[row] ?? 0;
  const length = skeleton.dur[row] ?? 0;
  const [left, right] = [((start - from) / span) * 100, ((start + length - from) / span) * 100];
  const [visibleLeft, visibleRight] = [Math.max(0, left), Math.min(100, right)];
  if (left > 100 || right < 0)
    return (
      <span className={styles['outside']} data-side={right < 0 ? 'left' : 'right'}>
        {duration(length)}
      </span>
    );
  const outcome = skeleton.outcomes[skeleton.outcome[row] ?? -1] ?? '';
  const label = `${duration(length)}${outcome === '' || outcome === 'ok' || outcome === 'error' ? '' : ` · ${outcome}`}`;
  const hue = hueVar(model.hues[skeleton.svc[row] ?? 0] ?? 0);
  return (
    <>
      <span
        className={styles['span']}
        data-failed={failed}
        style={{ left: `${visibleLeft}%`, width: `${Math.max(0, visibleRight - visibleLeft)}%`, background: hue }}
      />
      {critical &&
        (model.critical.get(row) ?? []).map((section) => {
          const [a, b] = [Math.max(0, ((section.start - from) / span) * 100), Math.min(100, ((section.end - from) / span) * 100)];
          return b > a ? <span key={section.start} className={styles['critical']} style={{ left: `${a}%`, width: `${b - a}%` }} /> : null;
        })}
      <span className={styles['label']} style={{ left: `${visibleRight}%` }}>
        {label}
      </span>
    </>
  );
}

function Ghost({ top, place, count }: { top: number; place: number; count: number }) {
  const t = useT();
  return (
    <div
      className={`${styles['row']} ${styles['ghost']}`}
      role="row"
      aria-level={1}
      aria-rowindex={place + 1}
      style={{ transform: `translateY(${top}px)` }}
    >
      <div className={styles['name']} role="gridcell">
        <span className={styles['caret']} />
        <span className={styles['ghostMark']} />
        <Icon name="warn" size={13} />
        <span>{count === 1 ? t('trace.missingParent') : t('trace.missingParents', { n: count })}</span>
      </div>
      <div className={styles['time']} role="gridcell" />
    </div>
  );
}
