// One edge: both sides' latency, outcomes, how the two ends are known, its operations, findings and examples.

import { useQuery } from '@tanstack/react-query';
import { Link } from 'wouter';
import { get } from '../../api/client';
import type { Graph } from '../../api/types';
import { useT } from '../../i18n';
import { outcomeVar } from '../../lib/color';
import { compact, count, duration, percent } from '../../lib/format';
import { pageLink } from '../../lib/links';
import { useRange } from '../../lib/range-context';
import { outcomeName } from '../../parts/figures';
import { FindingLinks } from '../../parts/FindingLinks';
import { nodeKind } from '../../parts/nodes';
import { paths, tracePath } from '../../routes';
import { Icon } from '../../ui/Icon';
import { edgeQuery, type MapEdge } from './model';
import { Figures, Latency, Section } from './Panel';
import { GROUP } from './scope';
import type { PanelProps } from './SelectionPanel';
import styles from './panel.module.css';

export function EdgeDetail({ edge, model, overlay, params, env, onSelect }: PanelProps & { edge: MapEdge }) {
  const t = useT();
  const { time } = useRange();
  const folded = edge.source.startsWith(GROUP) || edge.target.startsWith(GROUP);
  const query = folded ? null : edgeQuery(edge, model.nodes);
  const found = overlay.edges.get(edge.key);
  return (
    <>
      <h2 className={styles['panelTitle']}>
        <button type="button" onClick={() => onSelect(edge.source)}>
          {model.nodes.get(edge.source)?.name ?? edge.source}
        </button>
        <span className={styles['arrow']}>→</span>
        <button type="button" onClick={() => onSelect(edge.target)}>
          {model.nodes.get(edge.target)?.name ?? edge.target}
        </button>
      </h2>
      <p className={styles['soft']}>{[edge.protocol, edge.mode && t(`map.mode.${edge.mode}`)].filter(Boolean).join(' · ')}</p>
      <Figures calls={edge.calls} errors={edge.errors} seconds={model.seconds} />
      {!folded && <LatencyTable edge={edge} />}
      <Identity edge={edge} />
      {found && (
        <Section title={t('findings.open')}>
          <FindingLinks findings={found} env={env} />
        </Section>
      )}
      <Outcomes edge={edge} />
      {!folded && <Operations edge={edge} params={params} />}
      {edge.exemplars.length > 0 && (
        <Section title={t('map.exemplars')}>
          <ul>
            {edge.exemplars.map((exemplar) => (
              <li key={`${exemplar.trace_id} ${exemplar.span_id}`}>
                <Link href={tracePath(exemplar.trace_id, exemplar.span_id)}>
                  <code>{exemplar.trace_id}</code>
                </Link>
              </li>
            ))}
          </ul>
        </Section>
      )}
      {query !== null && (
        <p className={styles['onward']}>
          <Link href={pageLink(paths.traces, time, { q: query })}>
            <Icon name="traces" size={14} /> {t('map.openTraces')}
          </Link>
        </p>
      )}
    </>
  );
}

function LatencyTable({ edge }: { edge: MapEdge }) {
  const t = useT();
  return (
    <table className={styles['quantiles']}>
      <thead>
        <tr>
          <td />
          <th scope="col">p50</th>
          <th scope="col">p95</th>
          <th scope="col">p99</th>
        </tr>
      </thead>
      <tbody>
        <Latency name={t('map.client')} side={edge.client} />
        <Latency name={t('map.server')} side={edge.server} />
        {edge.lag && <Latency name={t('map.lag')} side={edge.lag} />}
      </tbody>
    </table>
  );
}

function Identity({ edge }: { edge: MapEdge }) {
  const t = useT();
  if (!edge.identity) return null;
  return (
    <p className={styles['identity']}>
      {t('map.identity')}: <b>{t(`map.identity.${edge.identity}`)}</b>
      {edge.paired !== null && edge.paired !== undefined && edge.calls > 0 && (
        <>
          {' · '}
          {t('map.pairedShare')} {percent(Math.min(1, edge.paired / edge.calls))}
        </>
      )}
      <br />
      {t(`map.identity.${edge.identity}.what`)}
    </p>
  );
}

function Outcomes({ edge }: { edge: MapEdge }) {
  const t = useT();
  const others = Object.values(edge.outcomes).reduce((sum, calls) => sum + calls, 0);
  const fine: [string, number][] = edge.calls > others ? [['ok', edge.calls - others]] : [];
  const outcomes = [...fine, ...Object.entries(edge.outcomes)].sort(([, a], [, b]) => b - a);
  if (outcomes.length === 0) return null;
  return (
    <Section title={t('map.outcomes')}>
      <ul className={styles['outcomes']}>
        {outcomes.map(([outcome, calls]) => (
          <li key={outcome}>
            <span title={outcome}>{outcomeName(outcome, t)}</span>
            <i
              style={{
                width: `${Math.max(1, (calls / Math.max(1, edge.calls)) * 100)}%`,
                background: outcome === 'ok' ? 'var(--ok)' : outcomeVar(outcome),
              }}
            />
            <b>{count(calls)}</b>
          </li>
        ))}
      </ul>
    </Section>
  );
}

/** The edge split by operation; asked for when the edge is chosen. */
function Operations({ edge, params }: { edge: MapEdge; params: Record<string, string> }) {
  const t = useT();
  const focus = nodeKind(edge.source) === 'service' ? edge.source : edge.target;
  const asked = { ...params, focus, depth: '1', operations: 'true' };
  const answer = useQuery({ queryKey: ['graph', asked], queryFn: ({ signal }) => get<Graph>('/graph', asked, signal) });
  const rows = (answer.data?.edges ?? [])
    .filter((item) => item.source === edge.source && item.target === edge.target && item.protocol === edge.protocol && item.operation)
    .sort((a, b) => b.calls - a.calls);
  if (rows.length === 0) return null;
  return (
    <Section title={t('map.operations')}>
      <table className={styles['operations']}>
        <thead>
          <tr>
            <th scope="col">{t('service.operation')}</th>
            <th scope="col">{t('map.calls')}</th>
            <th scope="col">{t('map.errors')}</th>
            <th scope="col">p95</th>
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, 30).map((item) => {
            const share = item.calls === 0 ? 0 : item.errors / item.calls;
            const p95 = (item.server ?? item.client)?.p95_ns;
            return (
              <tr key={item.operation}>
                <td title={item.operation ?? ''}>{item.operation}</td>
                <td>{compact(item.calls)}</td>
                <td data-bad={share >= 0.05}>{percent(share)}</td>
                <td>{p95 === undefined ? '–' : duration(p95)}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
      {rows.length > 30 && <p className={styles['soft']}>+{rows.length - 30}</p>}
    </Section>
  );
}
