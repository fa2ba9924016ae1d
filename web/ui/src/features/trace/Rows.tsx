// The rows of the waterfall: a span, a ghost for one that was not received, and one row for many that repeat.

import { memo } from 'react';
import type { Blame } from '../../api/types';
import { useT, type Key } from '../../i18n';
import { hueVar } from '../../lib/color';
import { count, duration, signedDuration } from '../../lib/format';
import { Icon } from '../../ui/Icon';
import { hasChildren, REPEAT, STATUS_ERROR, type TraceModel } from './model';
import styles from './waterfall.module.css';

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

export const Row = memo(function Row(props: RowProps) {
  const { row, top, place, model, indent, folded, cursor, selected, match, dim, onToggle, onSelect } = props;
  const { skeleton } = model;
  const depth = model.depth[row] ?? 0;
  const service = skeleton.services[skeleton.svc[row] ?? -1] ?? '';
  const name = skeleton.names[skeleton.name[row] ?? -1] ?? '';
  const parent = hasChildren(model, row);
  const failed = skeleton.status[row] === STATUS_ERROR;
  const inside = (model.last[row] ?? 0) - row - 1;
  const blame = model.origins.get(row);
  const outcome = skeleton.outcomes[skeleton.outcome[row] ?? -1] ?? '';
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
          <Caret folded={folded} label={name} inside={inside} onToggle={() => onToggle(row)} />
        ) : (
          <span className={styles['caret']} />
        )}
        <span className={styles['hue']} style={{ background: hueVar(model.hues[skeleton.svc[row] ?? 0] ?? 0) }} />
        {failed && !blame && (
          <span className={styles['bad']} title={outcome}>
            <Icon name="error" size={13} />
          </span>
        )}
        {blame && <Origin blame={blame} outcome={outcome} />}
        <span className={styles['service']}>{service}</span>
        <span className={styles['operation']}>{name}</span>
        {folded && <span className={styles['inside']}>{count(inside)}</span>}
      </div>
      <div className={styles['time']} role="gridcell">
        <Bar {...props} failed={failed} />
      </div>
    </div>
  );
});

function Bar({ row, model, from, to, critical, failed }: RowProps & { failed: boolean }) {
  const t = useT();
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
  const shift = model.shift?.[row] ?? 0;
  const label = [
    duration(length),
    outcome === '' || outcome === 'ok' || outcome === 'error' ? null : outcome,
    shift === 0 ? null : t('trace.clocks.row', { shift: signedDuration(shift) }),
  ]
    .filter(Boolean)
    .join(' · ');
  const within = (percent: number): number => Math.min(100, Math.max(0, percent));
  const sent = shift === 0 ? null : [within(left - (shift / span) * 100), within(right - (shift / span) * 100)];
  const hue = hueVar(model.hues[skeleton.svc[row] ?? 0] ?? 0);
  return (
    <>
      {sent && <span className={styles['sent']} style={{ left: `${sent[0]}%`, width: `${(sent[1] ?? 0) - (sent[0] ?? 0)}%` }} />}
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

interface SpecialProps {
  /** A code of the displayed rows. */
  code: number;
  top: number;
  place: number;
  model: TraceModel;
  from: number;
  to: number;
  indent: number;
  folded: boolean;
  cursor: boolean;
  onToggle: (code: number) => void;
}

export const GhostRow = memo(function GhostRow({ code, top, place, model, folded, cursor, onToggle }: SpecialProps) {
  const t = useT();
  const ghost = model.ghosts.get(~code);
  const inside = ghost ? ghost.end - ~code : 0;
  return (
    <div
      className={`${styles['row']} ${styles['ghost']}`}
      role="row"
      aria-level={1}
      aria-rowindex={place + 1}
      aria-expanded={!folded}
      data-cursor={cursor}
      style={{ transform: `translateY(${top}px)` }}
      title={t('trace.ghost.title', { n: ghost?.children ?? 0 })}
      onClick={() => onToggle(code)}
    >
      <div className={styles['name']} role="gridcell">
        <Caret folded={folded} label={ghost?.id ?? ''} inside={inside} onToggle={() => onToggle(code)} />
        <span className={styles['ghostMark']} />
        <Icon name="warn" size={13} />
        <span className={styles['ghostText']}>{t('trace.ghost', { id: ghost?.id ?? '' })}</span>
        {folded && <span className={styles['inside']}>{count(inside)}</span>}
      </div>
      <div className={styles['time']} role="gridcell" />
    </div>
  );
});

/** More ticks than this no eye tells apart. */
const TICKS = 200;

export const RepeatRow = memo(function RepeatRow(props: SpecialProps) {
  const { code, top, place, model, from, to, indent, folded, cursor, onToggle } = props;
  const t = useT();
  const { skeleton } = model;
  const head = code - REPEAT;
  const group = model.repeats().groups.get(head);
  if (!group) return null;
  const depth = model.depth[head] ?? 0;
  const service = skeleton.services[skeleton.svc[head] ?? -1] ?? '';
  const name = skeleton.names[skeleton.name[head] ?? -1] ?? '';
  const hue = hueVar(model.hues[skeleton.svc[head] ?? 0] ?? 0);
  const span = Math.max(1, to - from);
  const at = (ns: number): number => Math.min(100, Math.max(0, ((ns - from) / span) * 100));
  const [left, right] = [at(group.start), at(group.end)];
  const step = Math.ceil(group.rows.length / TICKS);
  return (
    <div
      className={`${styles['row']} ${styles['repeat']}`}
      role="row"
      aria-level={depth + 1}
      aria-rowindex={place + 1}
      aria-expanded={!folded}
      data-cursor={cursor}
      style={{ transform: `translateY(${top}px)` }}
      onClick={() => onToggle(code)}
    >
      <div className={styles['name']} role="gridcell" title={`${service} · ${name} ×${group.rows.length}`}>
        <span className={styles['guides']} style={{ width: depth * indent, backgroundSize: `${indent}px 100%` }} />
        <Caret folded={folded} label={name} inside={group.rows.length} onToggle={() => onToggle(code)} />
        <span className={styles['hue']} style={{ background: hue }} />
        <span className={styles['service']}>{service}</span>
        <span className={styles['operation']}>{name}</span>
        <span className={styles['times']}>{t('trace.repeats.times', { n: group.rows.length })}</span>
        {group.errors > 0 && (
          <span className={styles['bad']} title={t('trace.repeats.errors', { n: group.errors })}>
            <Icon name="error" size={12} /> {count(group.errors)}
          </span>
        )}
      </div>
      <div className={styles['time']} role="gridcell">
        <span className={styles['extent']} style={{ left: `${left}%`, width: `${right - left}%`, background: hue }} />
        {folded &&
          group.rows.map((row, index) => {
            if (index % step !== 0) return null;
            const [a, b] = [at(skeleton.start[row] ?? 0), at((skeleton.start[row] ?? 0) + (skeleton.dur[row] ?? 0))];
            return b > a ? (
              <span key={row} className={styles['tick']} style={{ left: `${a}%`, width: `${b - a}%`, background: hue }} />
            ) : null;
          })}
        <span className={styles['label']} style={{ left: `${right}%` }}>
          Σ {duration(group.total)}
        </span>
      </div>
    </div>
  );
});

function Caret({ folded, label, inside, onToggle }: { folded: boolean; label: string; inside: number; onToggle: () => void }) {
  const t = useT();
  return (
    <button
      type="button"
      tabIndex={-1}
      className={styles['caret']}
      aria-label={`${folded ? '+' : '−'} ${label}`}
      title={t('trace.hidden', { n: inside })}
      onClick={(event) => {
        event.stopPropagation();
        onToggle();
      }}
    >
      <Icon name={folded ? 'right' : 'down'} size={12} />
    </button>
  );
}

const ORIGINS: Record<Blame, readonly [Key, Key]> = {
  span: ['trace.origin.span', 'trace.origin.span.title'],
  edge: ['trace.origin.edge', 'trace.origin.edge.title'],
  peer: ['trace.origin.peer', 'trace.origin.peer.title'],
};

function Origin({ blame, outcome }: { blame: Blame; outcome: string }) {
  const t = useT();
  const [word, title] = ORIGINS[blame];
  return (
    <span className={styles['origin']} data-origin={blame} title={`${outcome}\n${t(title)}`}>
      <Icon name="error" size={12} />
      {t(word)}
    </span>
  );
}
