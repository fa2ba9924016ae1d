// Everything that was sent for one span, and what ingest made of it.

import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useId, useState, type ReactNode } from 'react';
import { Link, useLocation } from 'wouter';
import { get } from '../../api/client';
import type { Attribute, Span, SpanAnswer, SpanEvent, SpanLink } from '../../api/types';
import { useT } from '../../i18n';
import { duration, signedDuration } from '../../lib/format';
import { backTo } from '../../lib/last-search';
import { fullTime } from '../../lib/time';
import { AttributeTable } from '../../parts/AttributeTable';
import { ServiceTag } from '../../parts/ServiceTag';
import { ErrorState, Loading, NotesView } from '../../parts/states';
import { addCondition } from '../../query/terms';
import { paths, tracePath } from '../../routes';
import { IconButton } from '../../ui/Button';
import { Copy } from '../../ui/Copy';
import { Icon } from '../../ui/Icon';
import { LinkedTrace, useLinks } from './TraceLinksMenu';
import styles from './span.module.css';

interface SpanPanelProps {
  traceId: string;
  spanId: string;
  t0: string;
  width: number;
  hue: number | undefined;
  /** ns not covered by children; known from the skeleton. */
  self: number | undefined;
  /** What it is moved by on display, ns. */
  shift: number;
  onClose: () => void;
  onSpan: (id: string) => void;
}

export function SpanPanel({ traceId, spanId, t0, width, hue, self, shift, onClose, onSpan }: SpanPanelProps) {
  const t = useT();
  const answer = useQuery({
    queryKey: ['span', traceId, spanId],
    queryFn: ({ signal }) => get<SpanAnswer>(`/traces/${traceId}/spans/${encodeURIComponent(spanId)}`, {}, signal),
    placeholderData: keepPreviousData,
  });
  const spans = answer.data?.spans ?? [];
  return (
    <aside className={styles['panel']} style={{ width }} aria-label={t('span.title')} data-stale={answer.isPlaceholderData}>
      <div className={styles['panelTop']}>
        <span>{t('span.title')}</span>
        <code>{spanId}</code>
        <IconButton icon="close" label={`${t('span.close')} · Esc`} onClick={onClose} />
      </div>
      <div className={styles['panelBody']} tabIndex={0}>
        {answer.isPending && <Loading />}
        {answer.isError && <ErrorState error={answer.error} onRetry={() => void answer.refetch()} />}
        {spans.length > 1 && <p className={styles['twice']}>{t('span.twice', { n: spans.length })}</p>}
        {spans.map((span, index) => (
          <Detail
            key={index}
            traceId={traceId}
            span={span}
            t0={t0}
            hue={hue}
            self={spans.length === 1 ? self : undefined}
            shift={shift}
            onSpan={onSpan}
          />
        ))}
      </div>
    </aside>
  );
}

function Detail({
  traceId,
  span,
  t0,
  hue,
  self,
  shift,
  onSpan,
}: {
  traceId: string;
  span: Span;
  t0: string;
  hue: number | undefined;
  self: number | undefined;
  shift: number;
  onSpan: (id: string) => void;
}) {
  const t = useT();
  const [, navigate] = useLocation();
  const filter = (attribute: Attribute, negated: boolean): void => {
    const back = new URL(backTo(paths.traces), window.location.origin);
    back.searchParams.set('q', addCondition(back.searchParams.get('q') ?? '', attribute, negated, 'spans'));
    navigate(back.pathname + back.search);
  };
  const failed = span.status === 'error';
  return (
    <article>
      <header className={styles['spanHead']}>
        <ServiceTag name={span.service} hue={hue} />
        <h2>{span.name}</h2>
        {failed && (
          <p className={styles['failure']}>
            <Icon name="error" size={15} />
            <span>
              <b>{span.outcome}</b> {span.status_message}
            </span>
          </p>
        )}
      </header>
      <dl className={styles['facts']}>
        <Fact name={t('span.duration')}>
          <b>{duration(span.duration_ns)}</b>
        </Fact>
        <Fact name={t('span.self')}>{self === undefined ? '–' : duration(self)}</Fact>
        <Fact name={t('span.start')} wide>
          {fullTime(span.start_ns)} <span className={styles['soft']}>{t('span.atOffset', { offset: offset(span.start_ns, t0) })}</span>
        </Fact>
        {shift !== 0 && (
          <Fact name={t('span.clock')} wide>
            {signedDuration(shift)}
          </Fact>
        )}
        <Fact name={t('span.kind')}>{span.kind}</Fact>
        <Fact name={t('span.status')}>{span.status}</Fact>
        <Fact name={t('span.role')}>{span.role}</Fact>
        <Fact name={t('span.outcome')}>{span.outcome}</Fact>
        {span.protocol && <Fact name={t('span.protocol')}>{span.protocol}</Fact>}
        {span.peer && <Fact name={t('span.peer')}>{span.peer}</Fact>}
        {span.operation !== span.name && (
          <Fact name={t('span.operation')} wide>
            {span.operation}
          </Fact>
        )}
        {span.parent_span_id && (
          <Fact name={t('span.parent')} wide>
            <button type="button" className={styles['idLink']} onClick={() => onSpan(span.parent_span_id ?? '')}>
              {span.parent_span_id}
            </button>
          </Fact>
        )}
        {span.trace_state !== '' && (
          <Fact name={t('span.traceState')} wide>
            {span.trace_state}
          </Fact>
        )}
      </dl>
      <Section title={t('span.attributes')} count={span.attributes.length}>
        <AttributeTable attributes={span.attributes} dropped={span.dropped_attributes} onFilter={filter} />
      </Section>
      {(span.events.length > 0 || span.dropped_events > 0) && (
        <Section title={t('span.events')} count={span.events.length}>
          {span.events.map((event, index) => (
            <Event key={index} event={event} start={span.start_ns} />
          ))}
          {span.dropped_events > 0 && <p className={styles['dropped']}>{t('span.dropped', { n: span.dropped_events })}</p>}
        </Section>
      )}
      {(span.links.length > 0 || span.dropped_links > 0) && (
        <Section title={t('span.links')} count={span.links.length}>
          {span.links.map((link, index) => (
            <SpanLinkView key={index} link={link} />
          ))}
          {span.dropped_links > 0 && <p className={styles['dropped']}>{t('span.dropped', { n: span.dropped_links })}</p>}
        </Section>
      )}
      <LinkedBy traceId={traceId} spanId={span.span_id} />
      <Section title={t('span.resource')} count={span.resource.attributes.length}>
        <AttributeTable attributes={span.resource.attributes} dropped={span.resource.dropped_attributes} onFilter={filter} />
      </Section>
      {span.scope.name !== '' && (
        <Section title={t('span.scope')} count={null}>
          <p className={styles['scope']}>
            {span.scope.name} <span className={styles['soft']}>{span.scope.version}</span>
          </p>
          {span.scope.attributes.length > 0 && (
            <AttributeTable attributes={span.scope.attributes} dropped={span.scope.dropped_attributes} />
          )}
        </Section>
      )}
    </article>
  );
}

function Section({ title, count, children }: { title: string; count: number | null; children: ReactNode }) {
  const id = useId();
  return (
    <section className={styles['section']} aria-labelledby={id}>
      <h3 id={id}>
        {title} {count !== null && <span>{count}</span>}
      </h3>
      {children}
    </section>
  );
}

function Fact({ name, wide = false, children }: { name: string; wide?: boolean; children: ReactNode }) {
  return (
    <div data-wide={wide}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Event({ event, start }: { event: SpanEvent; start: string }) {
  const t = useT();
  return (
    <div className={styles['event']} data-exception={event.name === 'exception'}>
      <h4 title={fullTime(event.time_ns)}>
        {event.name} <span className={styles['soft']}>{t('span.atOffset', { offset: offset(event.time_ns, start) })}</span>
      </h4>
      {event.attributes.length > 0 && <AttributeTable attributes={event.attributes} dropped={event.dropped_attributes} />}
    </div>
  );
}

function SpanLinkView({ link }: { link: SpanLink }) {
  const t = useT();
  return (
    <div className={styles['event']}>
      <h4>
        <Link href={tracePath(link.trace_id, link.span_id)}>
          <code>{link.trace_id}</code>
        </Link>
        <Copy text={link.trace_id} label={t('trace.copyId')} done={t('copy.done')} />
      </h4>
      {link.attributes.length > 0 && <AttributeTable attributes={link.attributes} dropped={link.dropped_attributes} />}
    </div>
  );
}

/** Spans of other traces that link to this one: looked for when asked, for all spans of the trace at once. */
function LinkedBy({ traceId, spanId }: { traceId: string; spanId: string }) {
  const t = useT();
  const [asked, setAsked] = useState(false);
  const answer = useLinks(traceId, asked);
  const links = answer.data?.backward.filter((link) => link.here === spanId);
  return (
    <Section title={t('span.linkedBy')} count={links?.length ?? null}>
      {!links && !asked && (
        <button type="button" className={styles['find']} onClick={() => setAsked(true)}>
          {t('span.linkedBy.find')}
        </button>
      )}
      {asked && answer.isPending && <Loading />}
      {answer.isError && <ErrorState error={answer.error} onRetry={() => void answer.refetch()} />}
      {links?.length === 0 && <p className={styles['none']}>{t('trace.links.none')}</p>}
      {links?.map((link, index) => (
        <LinkedTrace key={index} link={link} />
      ))}
      <NotesView notes={[answer.data?.notes]} />
    </Section>
  );
}

function offset(ns: string, base: string): string {
  return duration(Number(BigInt(ns) - BigInt(base)));
}
