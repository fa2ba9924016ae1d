// The result table: newest first, one line a trace.

import { memo, useEffect, useRef } from 'react';
import { Link } from 'wouter';
import type { ServiceCount, TraceSummary } from '../../api/types';
import { useT } from '../../i18n';
import { assignHues, hueVar } from '../../lib/color';
import { count, duration } from '../../lib/format';
import { log } from '../../lib/scale';
import { clock, day, fullTime } from '../../lib/time';
import { ServiceTag } from '../../parts/ServiceTag';
import { tracePath } from '../../routes';
import { Icon } from '../../ui/Icon';
import styles from './traces.module.css';

interface TraceTableProps {
  traces: readonly TraceSummary[];
  selected: number;
  /** The range is longer than a day: show dates. */
  wide: boolean;
  onOpen: (id: string) => void;
}

export function TraceTable({ traces, selected, wide, onOpen }: TraceTableProps) {
  const t = useT();
  const body = useRef<HTMLTableSectionElement>(null);
  const [low, high] = traces.reduce(
    ([least, most], trace) => [Math.min(least, trace.duration_ns), Math.max(most, trace.duration_ns)],
    [Infinity, 1],
  );
  // The chart's scale: one slow trace must not flatten all others.
  const bar = log([Math.max(1, low / 2), Math.max(high, low * 4)], [0, 100]);
  useEffect(() => {
    if (selected >= 0) body.current?.rows[selected]?.scrollIntoView({ block: 'nearest' });
  }, [selected]);
  return (
    <table className={styles['table']}>
      <thead>
        <tr>
          <th scope="col" className={styles['colStart']}>
            {t('traces.start')}
          </th>
          <th scope="col">{t('traces.root')}</th>
          <th scope="col" className={styles['colDuration']}>
            {t('traces.duration')}
          </th>
          <th scope="col" className={styles['colServices']}>
            {t('traces.services')}
          </th>
          <th scope="col" className={styles['colNumber']}>
            {t('traces.spans')}
          </th>
          <th scope="col" className={styles['colNumber']}>
            {t('traces.errors')}
          </th>
        </tr>
      </thead>
      <tbody ref={body}>
        {traces.map((trace, index) => (
          <Row key={trace.trace_id} trace={trace} selected={index === selected} wide={wide} bar={bar(trace.duration_ns)} onOpen={onOpen} />
        ))}
      </tbody>
    </table>
  );
}

const Row = memo(function Row({
  trace,
  selected,
  wide,
  bar,
  onOpen,
}: {
  trace: TraceSummary;
  selected: boolean;
  wide: boolean;
  bar: number;
  onOpen: (id: string) => void;
}) {
  const t = useT();
  return (
    <tr
      aria-selected={selected}
      onClick={(event) => !(event.target as Element).closest('a') && window.getSelection()?.isCollapsed !== false && onOpen(trace.trace_id)}
    >
      <td className={styles['start']} title={fullTime(trace.start_ns)}>
        {wide && <span>{day(trace.start_ns).slice(5)} </span>}
        {clock(trace.start_ns)}
      </td>
      <td className={styles['root']}>
        <Link href={tracePath(trace.trace_id)}>
          <ServiceTag name={trace.root_service || '?'} />
          <span className={styles['rootName']}>{trace.root_name || t('traces.noRoot')}</span>
        </Link>
        {trace.orphan_count > 0 && (
          <span className={styles['orphans']} title={t('traces.orphans', { n: trace.orphan_count })}>
            <Icon name="warn" size={13} />
          </span>
        )}
      </td>
      <td className={styles['duration']}>
        <span>{duration(trace.duration_ns)}</span>
        <span className={styles['durationTrack']} aria-hidden="true">
          <span style={{ width: `${bar}%` }} />
        </span>
      </td>
      <td>
        <Strip services={trace.services} />
      </td>
      <td className={styles['number']}>{count(trace.span_count)}</td>
      <td className={styles['number']}>
        {trace.error_count > 0 && (
          <span className={styles['errors']}>
            <Icon name="error" size={13} />
            {count(trace.error_count)}
          </span>
        )}
      </td>
    </tr>
  );
});

/** Services by their share of the spans; the title spells it out. */
function Strip({ services }: { services: readonly ServiceCount[] }) {
  const hues = assignHues(services.map((service) => service.name));
  const title = services
    .map((service) => `${service.name} ${service.span_count}${service.error_count > 0 ? ` (${service.error_count} ✕)` : ''}`)
    .join('\n');
  return (
    <div className={styles['strip']} title={title}>
      <span className={styles['stripCount']}>{services.length}</span>
      <span className={styles['stripBar']} role="img" aria-label={services.map((service) => service.name).join(', ')}>
        {services.map((service) => (
          <span
            key={service.name}
            data-error={service.error_count > 0}
            style={{ flexGrow: service.span_count, background: hueVar(hues.get(service.name) ?? 0) }}
          />
        ))}
      </span>
    </div>
  );
}
