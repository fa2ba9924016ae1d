// One finding: the claim, the numbers against the threshold, the traces that prove it, its history, and the decision about it.

import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';
import { Link } from 'wouter';
import { ApiError, get } from '../../api/client';
import type { Finding, Rule } from '../../api/governance';
import { useI18n, useT, type Key } from '../../i18n';
import { en } from '../../i18n/en';
import { percent } from '../../lib/format';
import { pageLink } from '../../lib/links';
import { useRange } from '../../lib/range-context';
import { clock, day } from '../../lib/time';
import { SeverityMark } from '../../parts/figures';
import { inLanguage, inUnit, label, measureRows, plainName, subjectEdges, subjectNodes, unitOf } from '../../parts/findings';
import { ServiceTag } from '../../parts/ServiceTag';
import { ErrorState, Loading, Message } from '../../parts/states';
import { paths, servicePath, tracePath } from '../../routes';
import { Button, IconButton } from '../../ui/Button';
import { Icon } from '../../ui/Icon';
import { Accept, Reopen } from './Decide';
import styles from './detail.module.css';

interface DetailProps {
  id: string;
  listed: Finding | undefined;
  rules: readonly Rule[];
  env: string;
  onClose: () => void;
}

export function Detail({ id, listed, rules, env, onClose }: DetailProps) {
  const t = useT();
  const { range } = useRange();
  const answer = useQuery({
    queryKey: ['finding', id, String(range.to)],
    queryFn: ({ signal }) => get<Finding>(`/findings/${encodeURIComponent(id)}`, {}, signal),
    placeholderData: keepPreviousData,
  });
  const finding = answer.data ?? listed;
  const gone = answer.error instanceof ApiError && answer.error.status === 404;
  return (
    <aside className={styles['detail']} aria-label={t('gov.tab.findings')}>
      <IconButton icon="close" label={t('span.close')} className={styles['close']} onClick={onClose} />
      {!finding && answer.isPending && <Loading />}
      {!finding && gone && <Message title={t('gov.missing')} />}
      {!finding && answer.isError && !gone && <ErrorState error={answer.error} onRetry={() => void answer.refetch()} />}
      {finding && <Body finding={finding} rule={rules.find((rule) => rule.rule === finding.rule)} env={env} />}
    </aside>
  );
}

function Body({ finding, rule, env }: { finding: Finding; rule: Rule | undefined; env: string }) {
  const { t, language } = useI18n();
  const [deciding, decide] = useState(false);
  const principle = `principle.${finding.principle}`;
  return (
    <>
      <p className={styles['kicker']}>
        <SeverityMark severity={finding.severity} /> {t(`severity.${finding.severity}`)} · {finding.rule}{' '}
        {rule ? inLanguage(rule.title, language) : plainName(finding.name)}
      </p>
      <h2>{inLanguage(finding.claim, language)}</h2>
      <p className={styles['principle']}>
        {t('gov.principle')}: {Object.hasOwn(en, principle) ? t(principle as Key) : plainName(finding.principle)}
      </p>
      <Subject finding={finding} env={env} />
      <div className={styles['decision']}>
        {finding.state === 'open' && (
          <Button icon="check" onClick={() => decide(true)}>
            {t('gov.accept')}
          </Button>
        )}
        {finding.state === 'accepted' && (
          <Button icon="refresh" onClick={() => decide(true)}>
            {t('gov.reopen')}
          </Button>
        )}
        {finding.state === 'accepted' && (
          <p>
            {t('gov.acceptedBy', { by: finding.accepted_by ?? '?' })}
            {finding.accepted_note ? `: ${finding.accepted_note}` : ''}
          </p>
        )}
      </div>
      {deciding &&
        (finding.state === 'open' ? (
          <Accept finding={finding} onClose={() => decide(false)} />
        ) : (
          <Reopen finding={finding} onClose={() => decide(false)} />
        ))}
      <Measures finding={finding} rule={rule} />
      <Evidence finding={finding} />
      <Times finding={finding} />
      {(finding.history?.length ?? 0) > 0 && <History finding={finding} />}
      {rule && inLanguage(rule.guard, language) !== '' && (
        <Part title={t('gov.rules.guard')}>
          <p>{inLanguage(rule.guard, language)}</p>
        </Part>
      )}
    </>
  );
}

function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className={styles['part']}>
      <h3>{title}</h3>
      {children}
    </section>
  );
}

function Subject({ finding, env }: { finding: Finding; env: string }) {
  const t = useT();
  const { time } = useRange();
  const edge = subjectEdges(finding)[0] ?? null;
  const node = subjectNodes(finding)[0];
  const onMap = edge ? { focus: edge.source, sel: `${edge.source}→${edge.target}` } : { focus: node ?? '', sel: node ?? '' };
  return (
    <p className={styles['subject']}>
      {finding.subject.services.map((service) => (
        <Link key={service} href={pageLink(servicePath(service), time, { env })}>
          <ServiceTag name={service} />
        </Link>
      ))}
      {(edge !== null || node !== undefined) && (
        <Link href={pageLink(paths.map, time, { env, ...onMap })}>
          <Icon name="map" size={14} /> {t('service.onMap')}
        </Link>
      )}
    </p>
  );
}

function Measures({ finding, rule }: { finding: Finding; rule: Rule | undefined }) {
  const { t, language } = useI18n();
  const rows = measureRows(finding, rule?.thresholds);
  const baseline = rows.some((row) => row.baseline !== null);
  return (
    <table className={styles['measures']}>
      <thead>
        <tr>
          <th />
          <th scope="col">{t('gov.measured')}</th>
          <th scope="col">{t('gov.threshold')}</th>
          {baseline && <th scope="col">{t('gov.baseline')}</th>}
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr
            key={row.name}
            data-main={row.threshold !== null && row.measured !== null}
            title={inLanguage(row.what, language) || undefined}
          >
            <th scope="row">{row.measured === null && row.what ? inLanguage(row.what, language) : label(row.name, t)}</th>
            <td>{row.measured ?? '–'}</td>
            <td>{row.threshold ?? '–'}</td>
            {baseline && <td>{row.baseline ?? '–'}</td>}
          </tr>
        ))}
        <tr>
          <th scope="row">{t('gov.confidence')}</th>
          <td>{percent(finding.confidence)}</td>
          <td colSpan={baseline ? 2 : 1}>{finding.n ? t('gov.basis', { n: finding.n }) : ''}</td>
        </tr>
      </tbody>
    </table>
  );
}

function Evidence({ finding }: { finding: Finding }) {
  const { t, language } = useI18n();
  return (
    <Part title={t('gov.evidence')}>
      {finding.evidence.length === 0 ? (
        <p className={styles['soft']}>{t('gov.noEvidence')}</p>
      ) : (
        <ul className={styles['evidence']}>
          {finding.evidence.map((item) => (
            <li key={`${item.trace_id} ${item.span_ids[0] ?? ''}`}>
              <Link href={tracePath(item.trace_id, item.span_ids[0])}>
                <code>{item.trace_id.slice(0, 16)}</code>
                <span>{inLanguage(item.why, language) || t('gov.openTrace')}</span>
              </Link>
            </li>
          ))}
        </ul>
      )}
    </Part>
  );
}

function Times({ finding }: { finding: Finding }) {
  const t = useT();
  const rows: [string, string | null | undefined][] = [
    [t('gov.firstSeen'), finding.first_seen_ns],
    [t('gov.lastSeen'), finding.last_seen_ns],
    [t('gov.resolvedAt'), finding.resolved_ns],
  ];
  return <dl className={styles['times']}>{rows.map(([name, ns]) => ns && <Time key={name} name={name} ns={ns} />)}</dl>;
}

function Time({ name, ns }: { name: string; ns: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        {day(ns)} {clock(ns).slice(0, 8)}
      </dd>
    </div>
  );
}

function History({ finding }: { finding: Finding }) {
  const t = useT();
  const state = (name: string): string => (name === 'open' || name === 'accepted' || name === 'resolved' ? t(`gov.state.${name}`) : name);
  return (
    <Part title={t('gov.history')}>
      <ol className={styles['history']}>
        {[...(finding.history ?? [])].reverse().map((item) => {
          const first = Object.entries(item.measured ?? {})[0];
          return (
            <li key={item.at_ns}>
              <span>
                {day(item.at_ns).slice(5)} {clock(item.at_ns).slice(0, 8)}
              </span>
              <span>{state(item.state)}</span>
              <span className={styles['soft']}>{first ? `${label(first[0], t)} ${inUnit(first[1], unitOf(first[0]))}` : ''}</span>
            </li>
          );
        })}
      </ol>
    </Part>
  );
}
