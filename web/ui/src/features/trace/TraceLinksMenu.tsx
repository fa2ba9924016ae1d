// Traces that this one links to, and those that link here: asked for when the panel opens.

import { useQueries, useQuery, type UseQueryResult } from '@tanstack/react-query';
import { Link } from 'wouter';
import { ApiError, get } from '../../api/client';
import type { LinkedSpan, SpanAnswer, TraceLinks } from '../../api/types';
import { useT } from '../../i18n';
import { clock, day, fullTime } from '../../lib/time';
import { ServiceTag } from '../../parts/ServiceTag';
import { ErrorState, Loading, NotesView } from '../../parts/states';
import { tracePath } from '../../routes';
import { Icon } from '../../ui/Icon';
import { Popover } from '../../ui/Popover';
import type { TraceModel } from './model';
import styles from './trace.module.css';

/** Links of one direction in the panel. */
const SHOWN = 50;
/** Far ends of links out of the trace that are looked up for their names. */
const LOOKED_UP = 10;

export function useLinks(id: string, wanted: boolean): UseQueryResult<TraceLinks> {
  return useQuery({
    queryKey: ['trace-links', id],
    queryFn: ({ signal }) => get<TraceLinks>(`/traces/${encodeURIComponent(id)}/links`, {}, signal),
    enabled: wanted,
  });
}

export function TraceLinksMenu({ model }: { model: TraceModel }) {
  const t = useT();
  const button = (
    <>
      <Icon name="link" size={14} />
      {t('trace.links')}
      <Icon name="down" size={12} />
    </>
  );
  return (
    <Popover label={t('trace.links')} className={styles['quiet']} button={button}>
      {(close) => <Panel model={model} onOpen={close} />}
    </Popover>
  );
}

function Panel({ model, onOpen }: { model: TraceModel; onOpen: () => void }) {
  const t = useT();
  const answer = useLinks(model.skeleton.trace_id, true);
  const forward = useNamed(answer.data?.forward ?? []);
  return (
    <div className={styles['linksPanel']}>
      {answer.isPending && <Loading />}
      {answer.isError && <ErrorState error={answer.error} onRetry={() => void answer.refetch()} />}
      {answer.data && (
        <>
          <NotesView notes={[answer.data.notes]} />
          <Direction title={t('trace.links.forward')} links={forward} model={model} onOpen={onOpen} />
          <Direction title={t('trace.links.backward')} links={answer.data.backward} model={model} onOpen={onOpen} />
          <p className={styles['linksRange']}>
            {t('trace.links.range', { from: minute(answer.data.from_ns), to: minute(answer.data.to_ns) })}
          </p>
        </>
      )}
    </div>
  );
}

/** The bounds are hours away: less of them is read sooner. */
function minute(ns: string): string {
  return `${day(ns)} ${clock(ns).slice(0, 5)}`;
}

interface Named extends LinkedSpan {
  gone?: boolean;
}

function Direction({ title, links, model, onOpen }: { title: string; links: readonly Named[]; model: TraceModel; onOpen: () => void }) {
  const t = useT();
  return (
    <section>
      <h3>
        {title} <span>{links.length}</span>
      </h3>
      {links.length === 0 && <p className={styles['linksNone']}>{t('trace.links.none')}</p>}
      <ul>
        {links.slice(0, SHOWN).map((link, index) => (
          <li key={index}>
            <LinkedTrace link={link} onOpen={onOpen} />
            <small>{t('trace.links.here', { name: spanName(model, link.here) })}</small>
          </li>
        ))}
        {links.length > SHOWN && <li>{t('trace.links.more', { n: links.length - SHOWN })}</li>}
      </ul>
    </section>
  );
}

export function LinkedTrace({ link, onOpen }: { link: Named; onOpen?: () => void }) {
  const t = useT();
  return (
    <Link
      className={styles['linked']}
      href={tracePath(link.trace_id, link.span_id)}
      title={`${link.trace_id} ${link.span_id}`}
      onClick={() => onOpen?.()}
    >
      {link.service ? (
        <>
          <ServiceTag name={link.service} />
          <span>{link.name}</span>
        </>
      ) : (
        <code>{link.trace_id}</code>
      )}
      {link.start_ns && (
        <time title={fullTime(link.start_ns)}>
          {day(link.start_ns)} {clock(link.start_ns)}
        </time>
      )}
      {link.gone && <em>{t('trace.links.gone')}</em>}
    </Link>
  );
}

/** The far ends of links out of the trace carry ids only: the first of them are looked up. */
function useNamed(links: readonly LinkedSpan[]): Named[] {
  const spans = useQueries({
    queries: links.slice(0, LOOKED_UP).map(({ trace_id, span_id }) => ({
      queryKey: ['span', trace_id, span_id],
      queryFn: ({ signal }: { signal: AbortSignal }) => get<SpanAnswer>(`/traces/${trace_id}/spans/${span_id}`, {}, signal),
      retry: false,
    })),
  });
  return links.map((link, index) => {
    const far = spans[index];
    const span = far?.data?.spans[0];
    if (span) return { ...link, service: span.service, name: span.name, start_ns: span.start_ns };
    return { ...link, gone: far?.error instanceof ApiError && far.error.status === 404 };
  });
}

function spanName(model: TraceModel, id: string): string {
  const row = model.rowOf.get(id) ?? -1;
  const { skeleton } = model;
  const service = skeleton.services[skeleton.svc[row] ?? -1];
  return service === undefined ? id : `${service} · ${skeleton.names[skeleton.name[row] ?? -1] ?? ''}`;
}
