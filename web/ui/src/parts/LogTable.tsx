// Log records as dense rows: 22 pixels each, open in place, only those on screen in the document.

import { memo, useCallback, useLayoutEffect, useMemo, useRef, useState, type ReactNode, type RefObject } from 'react';
import { Link } from 'wouter';
import type { Attribute, LogRecord } from '../api/types';
import { useT } from '../i18n';
import { hueOf } from '../lib/color';
import { offsets } from '../lib/heights';
import { indexAt } from '../lib/scale';
import { clock, day, fullTime } from '../lib/time';
import { useScroll } from '../lib/virtual';
import { tracePath } from '../routes';
import { Copy } from '../ui/Copy';
import { Icon } from '../ui/Icon';
import { AttributeTable } from './AttributeTable';
import log from './log.module.css';
import { ServiceTag, Swatch } from './ServiceTag';
import { severityLabel, severityVar } from './severity';
import { plain, pretty } from './values';

export const LOG_ROW = 22;
const OVERSCAN_PX = 300;

interface LogTableProps {
  logs: readonly LogRecord[];
  /** Show dates as well as times. */
  wide: boolean;
  wrap: boolean;
  /** Record under the keyboard cursor. */
  cursor?: string | undefined;
  scroller?: RefObject<HTMLDivElement | null>;
  open?: ReadonlySet<string>;
  onOpen?: (id: string) => void;
  onFilter?: (attribute: Attribute, negated: boolean) => void;
  onOpenSpan?: (record: LogRecord) => void;
  /** What stands below an open record, e.g. its context. */
  below?: (record: LogRecord) => ReactNode;
  footer?: ReactNode;
}

export function LogTable(props: LogTableProps) {
  const { logs, wide, wrap, cursor, onFilter, onOpenSpan, below, footer } = props;
  const t = useT();
  const own = useRef<HTMLDivElement>(null);
  const scroller = props.scroller ?? own;
  const scroll = useScroll(scroller);
  const [openHere, setOpenHere] = useState<ReadonlySet<string>>(new Set());
  const [measured, setMeasured] = useState<ReadonlyMap<string, number>>(new Map());
  const open = props.open ?? openHere;
  const toggleHere = useCallback((id: string) => setOpenHere((old) => (old.has(id) ? without(old, id) : new Set([...old, id]))), []);
  const onToggle = props.onOpen ?? toggleHere;
  const keys = useMemo(() => logs.map((record) => record.id), [logs]);
  const tall = useMemo(() => (wrap ? measured : new Map([...measured].filter(([key]) => open.has(key)))), [measured, wrap, open]);
  const { at, total } = useMemo(() => offsets(keys, LOG_ROW, tall), [keys, tall]);
  const first = indexAt(at, Math.max(0, scroll.top - OVERSCAN_PX));
  const last = Math.min(logs.length, indexAt(at, scroll.top + scroll.height + OVERSCAN_PX) + 1);
  const onHeight = useCallback(
    (id: string, height: number) => setMeasured((old) => (old.get(id) === height ? old : new Map(old).set(id, height))),
    [],
  );
  return (
    <div className={log['table']} data-wrap={wrap} data-wide={wide}>
      <div className={log['head']} aria-hidden="true">
        <span>{t('logs.time')}</span>
        <span>{t('logs.severity')}</span>
        <span>{t('logs.service')}</span>
        <span>{t('logs.body')}</span>
      </div>
      <div ref={scroller} className={log['scroller']} tabIndex={0} role="group" aria-label={t('logs.title')}>
        <div className={log['rows']} role="feed" aria-label={t('logs.title')} style={{ height: total }}>
          {logs.slice(first, last).map((record, index) => (
            <Row
              key={record.id}
              record={record}
              place={first + index + 1}
              count={logs.length}
              top={at[first + index] ?? 0}
              wide={wide}
              open={open.has(record.id)}
              measure={wrap || open.has(record.id)}
              cursor={cursor === record.id}
              onToggle={onToggle}
              onHeight={onHeight}
              onFilter={onFilter}
              onOpenSpan={onOpenSpan}
              below={below}
            />
          ))}
        </div>
        {footer}
      </div>
    </div>
  );
}

function without(set: ReadonlySet<string>, id: string): ReadonlySet<string> {
  const next = new Set(set);
  next.delete(id);
  return next;
}

interface RowProps {
  record: LogRecord;
  place: number;
  count: number;
  top: number;
  wide: boolean;
  open: boolean;
  measure: boolean;
  cursor: boolean;
  onToggle: (id: string) => void;
  onHeight: (id: string, height: number) => void;
  onFilter: LogTableProps['onFilter'];
  onOpenSpan: LogTableProps['onOpenSpan'];
  below: LogTableProps['below'];
}

const Row = memo(function Row(props: RowProps) {
  const { record, top, open, measure, cursor, onToggle, onHeight } = props;
  const t = useT();
  const element = useRef<HTMLElement>(null);
  useLayoutEffect(() => {
    const row = element.current;
    if (!row || !measure) return undefined;
    const read = (): void => onHeight(record.id, row.offsetHeight);
    read();
    const observer = new ResizeObserver(read);
    observer.observe(row);
    return () => observer.disconnect();
  }, [measure, record.id, onHeight]);
  return (
    <article
      ref={element}
      className={log['row']}
      aria-posinset={props.place}
      aria-setsize={props.count}
      data-open={open}
      data-cursor={cursor}
      style={{ transform: `translateY(${top}px)` }}
    >
      <button
        type="button"
        className={log['line']}
        aria-expanded={open}
        onClick={() => window.getSelection()?.isCollapsed !== false && onToggle(record.id)}
      >
        <LogLine record={record} wide={props.wide} />
      </button>
      {open && (
        <div className={log['detail']}>
          <Detail {...props} />
          {props.below?.(record)}
        </div>
      )}
      {open && (
        <span className={log['hidden']}>
          {t('logs.id')} {record.id}
        </span>
      )}
    </article>
  );
});

/** Time, severity, service and message of a record in the columns of the table. */
export function LogLine({ record, wide }: { record: LogRecord; wide: boolean }) {
  return (
    <>
      <span className={log['time']}>
        {wide && `${day(record.time_ns).slice(5)} `}
        {clock(record.time_ns)}
      </span>
      <span className={log['severity']} data-severity={record.severity}>
        <i style={{ background: `var(${severityVar(record.severity)})` }} />
        {severityLabel(record.severity, record.severity_text)}
      </span>
      <span className={log['service']}>
        <Swatch hue={hueOf(record.service)} />
        {record.service}
      </span>
      <span className={log['body']}>{plain(record.body) || record.event_name}</span>
    </>
  );
}

function Detail({ record, onFilter, onOpenSpan }: RowProps) {
  const t = useT();
  const body = pretty(record.body);
  return (
    <>
      <div className={log['full']}>
        <pre tabIndex={0}>{body}</pre>
        <Copy text={body} label={t('span.copy')} done={t('copy.done')} />
      </div>
      <div className={log['meta']}>
        <ServiceTag name={record.service} />
        <span title={record.time_inferred ? t('logs.inferred') : undefined}>
          {fullTime(record.time_ns)}
          {record.time_inferred && ' *'}
        </span>
        <span>
          {record.severity_text || record.severity} · {record.severity_number}
        </span>
        {record.event_name !== '' && (
          <span>
            {t('logs.event')}: {record.event_name}
          </span>
        )}
        {record.trace_id !== null &&
          (onOpenSpan ? (
            <button type="button" className={log['link']} onClick={() => onOpenSpan(record)}>
              <Icon name="traces" size={14} /> {record.span_id}
            </button>
          ) : (
            <Link href={tracePath(record.trace_id, record.span_id)} className={log['link']}>
              <Icon name="traces" size={14} /> {t('logs.trace')} <code>{record.trace_id.slice(0, 16)}…</code>
            </Link>
          ))}
      </div>
      <div className={log['lists']}>
        <section>
          <h4>{t('span.attributes')}</h4>
          <AttributeTable attributes={record.attributes} dropped={record.dropped_attributes} onFilter={onFilter} />
        </section>
        <section>
          <h4>{t('span.resource')}</h4>
          <AttributeTable attributes={record.resource.attributes} dropped={record.resource.dropped_attributes} onFilter={onFilter} />
          {record.scope.name !== '' && (
            <p className={log['scope']}>
              {t('span.scope')}: {record.scope.name} {record.scope.version}
            </p>
          )}
        </section>
      </div>
    </>
  );
}
