// What is known of the clocks behind a trace: asked for once, said in full where it moves anything.

import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { get } from '../../api/client';
import type { Instance, TraceSkew } from '../../api/types';
import { useT } from '../../i18n';
import { signedDuration } from '../../lib/format';
import { NotesView } from '../../parts/states';
import { Icon } from '../../ui/Icon';
import { judged } from './skew';
import styles from './trace.module.css';

/** Pairs that the note names; the largest differences come first. */
const NAMED = 6;

/** Asked again when the trace has grown; `rows` is null before it is there. */
export function useSkew(id: string, rows: number | null): TraceSkew | undefined {
  const answer = useQuery({
    queryKey: ['trace-skew', id, rows],
    queryFn: ({ signal }) => get<TraceSkew>(`/traces/${encodeURIComponent(id)}/skew`, {}, signal),
    enabled: rows !== null,
    staleTime: Infinity,
    // Spans are moved by their id, so what was said of another trace moves nothing here.
    placeholderData: keepPreviousData,
    // The waterfall is whole without it.
    retry: false,
  });
  return answer.data;
}

export function ClocksNote({ skew, moved }: { skew: TraceSkew; moved: number }) {
  const t = useT();
  const { told, contradicting } = judged(skew.offsets);
  const hidden = told.length - NAMED;
  return (
    <>
      <div className={styles['clocks']} role="note">
        <Icon name="clock" size={14} />
        <p>{t('trace.clocks.on', { n: moved })}</p>
        <ul>
          {told.slice(0, NAMED).map((pair) => (
            <li
              key={`${name(pair.caller)} ${name(pair.callee)}`}
              title={`${signedDuration(pair.low_ns)} … ${signedDuration(pair.high_ns)}`}
            >
              {t('trace.clocks.pair', {
                callee: name(pair.callee),
                caller: name(pair.caller),
                shift: signedDuration(pair.offset_ns),
                n: pair.calls,
              })}
            </li>
          ))}
          {hidden > 0 && <li>{t('trace.clocks.more', { n: hidden })}</li>}
          {contradicting > 0 && <li>{t('trace.clocks.contradict', { n: contradicting })}</li>}
        </ul>
      </div>
      <NotesView notes={[skew.notes]} />
    </>
  );
}

/** An instance's name mostly says its service already. */
function name({ service, instance }: Instance): string {
  if (instance === '') return service;
  return instance.startsWith(service) ? instance : `${service} ${instance}`;
}
