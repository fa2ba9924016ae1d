// The virtualised waterfall: 24-pixel rows, only those on screen are in the document.

import { useRef, type CSSProperties, type RefObject } from 'react';
import { useT } from '../../i18n';
import { duration } from '../../lib/format';
import { fixedWindow, linearTicks } from '../../lib/scale';
import { useStoredWidth } from '../../lib/use-stored-width';
import { useSize } from '../../lib/use-size';
import { useScroll } from '../../lib/virtual';
import { Splitter } from '../../ui/Splitter';
import { useDrag } from '../../viz/use-drag';
import viz from '../../viz/viz.module.css';
import { isFolded, REPEAT, type Folding, type TraceModel } from './model';
import { GhostRow, RepeatRow, Row } from './Rows';
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
  /** A code of `display`. */
  cursor: number;
  selected: string;
  matched: ReadonlySet<number>;
  searching: boolean;
  /** Folds or opens what a code of `display` stands for. */
  onToggle: (code: number) => void;
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
            if (code < 0 || code >= REPEAT) {
              const Special = code < 0 ? GhostRow : RepeatRow;
              return (
                <Special
                  key={`${code < 0 ? 'ghost' : 'repeat'} ${slot}`}
                  code={code}
                  top={top}
                  place={start + index}
                  model={model}
                  from={view[0]}
                  to={view[1]}
                  indent={indent}
                  folded={isFolded(model, code, folding)}
                  cursor={cursor === code}
                  onToggle={props.onToggle}
                />
              );
            }
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
