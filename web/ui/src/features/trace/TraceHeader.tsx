// Figures of the trace, the share of each service, and the choice of lens.

import { useMemo, type ReactNode } from 'react';
import { address } from '../../api/client';
import type { Blame } from '../../api/types';
import { useT, type Key } from '../../i18n';
import { hueVar } from '../../lib/color';
import { count, duration, percent } from '../../lib/format';
import { clock, day, fullTime } from '../../lib/time';
import type { Patch } from '../../lib/use-url-state';
import { Button } from '../../ui/Button';
import { Copy } from '../../ui/Copy';
import { Icon } from '../../ui/Icon';
import { serviceShares, type ServiceShare, type TraceModel } from './model';
import type { TraceState } from './state';
import { TraceLinksMenu } from './TraceLinksMenu';
import styles from './trace.module.css';

/** Names in the legend; the bar itself always holds all of them. */
const LEGEND = 7;

interface TraceHeaderProps {
  model: TraceModel;
  /** Spans that corrected clocks would move. */
  movable: number;
  state: TraceState;
  patch: Patch<TraceState>;
}

export function TraceHeader({ model, movable, state, patch }: TraceHeaderProps) {
  const t = useT();
  const { skeleton } = model;
  const roots = skeleton.roots.filter((row) => !model.orphans.has(row)).length;
  const shares = useMemo(() => serviceShares(model), [model]);
  const tabs: readonly [TraceState['tab'], Key][] = [
    ['waterfall', 'trace.waterfall'],
    ['table', 'trace.table'],
    ['logs', 'trace.logs'],
  ];
  return (
    <section className={styles['header']}>
      <div className={styles['figures']}>
        <dl className={styles['figureList']}>
          <Figure label={t('trace.duration')} strong>
            {duration(skeleton.duration_ns)}
          </Figure>
          <Figure label={t('trace.start')} title={fullTime(skeleton.t0)}>
            {day(skeleton.t0)} {clock(skeleton.t0)}
          </Figure>
          <Figure label={t('trace.spans')} title={t('trace.lastArrival', { time: fullTime(skeleton.last_arrival_ns) })}>
            {count(model.rows)}
          </Figure>
          <Figure label={t('trace.services')}>{count(skeleton.services.length)}</Figure>
          <Figure label={t('trace.depth')}>{count(model.maxDepth + 1)}</Figure>
          <Figure label={t('trace.errors')}>
            {model.errorRows.length > 0 ? (
              <span className={styles['bad']}>
                <Icon name="error" size={14} />
                {count(model.errorRows.length)}
              </span>
            ) : (
              '0'
            )}
          </Figure>
        </dl>
        <div className={styles['badges']}>
          <Begins model={model} patch={patch} />
          {skeleton.missing.length > 0 && (
            <button
              type="button"
              className={styles['badge']}
              title={t('trace.missingSpans.title', { n: skeleton.orphan.length })}
              onClick={() => patch({ tab: 'waterfall', s: skeleton.id[skeleton.missing[0]?.children[0] ?? -1] ?? '' })}
            >
              <Icon name="warn" size={13} />
              <span>{t('trace.missingSpans', { n: skeleton.missing.length })}</span>
            </button>
          )}
          {roots > 1 && <span className={styles['badge']}>{t('trace.roots', { n: roots })}</span>}
          {skeleton.notes?.maybe_incomplete && (
            <span className={styles['badge']} title={t('trace.incomplete.title')}>
              <Icon name="clock" size={13} />
              {t('trace.incomplete')}
            </span>
          )}
        </div>
        <div className={styles['identity']}>
          <code>{skeleton.trace_id}</code>
          <Copy text={skeleton.trace_id} label={t('trace.copyId')} done={t('copy.done')} />
          <a href={address(`/traces/${skeleton.trace_id}`)} download={`trace-${skeleton.trace_id}.json`}>
            <Icon name="download" size={14} />
            {t('trace.json')}
          </a>
        </div>
      </div>
      <div className={styles['lenses']}>
        <div role="tablist" className={styles['tabs']}>
          {tabs.map(([tab, label]) => (
            <button key={tab} type="button" role="tab" aria-selected={state.tab === tab} onClick={() => patch({ tab })}>
              {t(label)}
            </button>
          ))}
        </div>
        <div className={styles['extras']}>
          {movable > 0 && (
            <Button
              icon="clock"
              pressed={state.skew}
              title={t('trace.clocks.title', { n: movable })}
              // The zoom is in times as drawn; it would show another part.
              onClick={() => patch({ skew: !state.skew, z: null }, { replace: true })}
            >
              {t('trace.clocks')}
            </Button>
          )}
          <TraceLinksMenu model={model} />
        </div>
        <Shares shares={shares} />
      </div>
    </section>
  );
}

const BEGINS: Record<Blame, Key> = { span: 'trace.begins.span', edge: 'trace.begins.edge', peer: 'trace.begins.peer' };

/** Where the first error begins; a click goes there. */
function Begins({ model, patch }: { model: TraceModel; patch: Patch<TraceState> }) {
  const t = useT();
  const { skeleton } = model;
  const first = skeleton.error_origins[0];
  if (!first) return null;
  const service = skeleton.services[skeleton.svc[first.row] ?? -1] ?? '';
  const name = skeleton.names[skeleton.name[first.row] ?? -1] ?? '';
  const text = t(BEGINS[first.blame], { service, name });
  const more = skeleton.error_origins.length - 1;
  return (
    <button
      type="button"
      className={styles['begins']}
      title={`${text}\n${t(`trace.origin.${first.blame}.title`)}`}
      onClick={() => patch({ tab: 'waterfall', s: skeleton.id[first.row] ?? '' })}
    >
      <Icon name="error" size={13} />
      <span>{text}</span>
      {more > 0 && <small>{t('trace.begins.more', { n: more })}</small>}
    </button>
  );
}

function Figure({ label, title, strong = false, children }: { label: string; title?: string; strong?: boolean; children: ReactNode }) {
  return (
    <div className={styles['figure']} title={title} data-strong={strong}>
      <dt>{label}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Shares({ shares }: { shares: readonly ServiceShare[] }) {
  const t = useT();
  return (
    <div className={styles['shares']} title={t('trace.share')}>
      <ul aria-label={t('trace.share')}>
        {shares.slice(0, LEGEND).map((share) => (
          <li
            key={share.service}
            title={`${share.service}: ${duration(share.self)}, ${share.spans} ${t('trace.spans')}, ${share.errors} ${t('trace.errors')}`}
          >
            <span className={styles['key']} style={{ background: hueVar(share.hue) }} />
            {share.service} <b>{percent(share.share)}</b>
          </li>
        ))}
        {shares.length > LEGEND && (
          <li
            title={shares
              .slice(LEGEND)
              .map((share) => `${share.service} ${percent(share.share)}`)
              .join('\n')}
          >
            +{shares.length - LEGEND} <b>{percent(shares.slice(LEGEND).reduce((sum, share) => sum + share.share, 0))}</b>
          </li>
        )}
      </ul>
      <div className={styles['shareBar']} aria-hidden="true">
        {shares.map((share) => (
          <span key={share.service} style={{ flexGrow: share.share, background: hueVar(share.hue) }} />
        ))}
      </div>
    </div>
  );
}
