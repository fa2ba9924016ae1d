// Figures, examples and ways onward for the selected node or edge.

import type { ReactNode } from 'react';
import { Link } from 'wouter';
import type { GraphNode, Quantiles } from '../../api/types';
import { useT } from '../../i18n';
import { pageLink } from '../../lib/links';
import { count, duration, percent, rate } from '../../lib/format';
import { useRange } from '../../lib/range-context';
import { ServiceTag } from '../../parts/ServiceTag';
import { quote } from '../../query/terms';
import { paths, tracePath } from '../../routes';
import { IconButton } from '../../ui/Button';
import { Icon } from '../../ui/Icon';
import { edgeQuery, type MapEdge, type MapModel } from './model';
import styles from './map.module.css';

interface SelectionPanelProps {
  model: MapModel;
  selected: string;
  onSelect: (id: string) => void;
}

export function SelectionPanel({ model, selected, onSelect }: SelectionPanelProps) {
  const t = useT();
  const edge = model.edges.find((item) => item.key === selected);
  const node =
    model.nodes.get(selected) ??
    (model.isolated.includes(selected) ? { id: selected, name: selected, kind: 'service' as const, calls: 0, errors: 0 } : undefined);
  return (
    <aside className={styles['panel']} aria-label={selected}>
      <IconButton icon="close" label={t('span.close')} className={styles['close']} onClick={() => onSelect('')} />
      {edge && <EdgeDetail edge={edge} model={model} onSelect={onSelect} />}
      {!edge && node && <NodeDetail node={node} model={model} onSelect={onSelect} />}
      {!edge && !node && <p className={styles['soft']}>{t('map.none')}</p>}
    </aside>
  );
}

function EdgeDetail({ edge, model, onSelect }: { edge: MapEdge; model: MapModel; onSelect: (id: string) => void }) {
  const t = useT();
  const { time } = useRange();
  const query = edgeQuery(edge, model.nodes);
  const others = Object.values(edge.outcomes).reduce((sum, calls) => sum + calls, 0);
  const fine: [string, number][] = edge.calls > others ? [['ok', edge.calls - others]] : [];
  const outcomes = [...fine, ...Object.entries(edge.outcomes)].sort(([, a], [, b]) => b - a);
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
      {edge.protocol && <p className={styles['soft']}>{edge.protocol}</p>}
      <Figures calls={edge.calls} errors={edge.errors} seconds={model.seconds} />
      <table className={styles['quantiles']}>
        <thead>
          <tr>
            <th />
            <th scope="col">p50</th>
            <th scope="col">p95</th>
            <th scope="col">p99</th>
          </tr>
        </thead>
        <tbody>
          <Latency name={t('map.client')} side={edge.client} />
          <Latency name={t('map.server')} side={edge.server} />
        </tbody>
      </table>
      {outcomes.length > 0 && (
        <Section title={t('map.outcomes')}>
          <ul className={styles['outcomes']}>
            {outcomes.map(([outcome, calls]) => (
              <li key={outcome}>
                <span>{outcome}</span>
                <i data-ok={outcome === 'ok'} style={{ width: `${Math.max(1, (calls / Math.max(1, edge.calls)) * 100)}%` }} />
                <b>{count(calls)}</b>
              </li>
            ))}
          </ul>
        </Section>
      )}
      {edge.exemplars.length > 0 && (
        <Section title={t('map.exemplars')}>
          <ul>
            {edge.exemplars.map((exemplar) => (
              <li key={`${exemplar.trace_id} ${exemplar.span_id}`}>
                <Link href={`${tracePath(exemplar.trace_id)}?s=${exemplar.span_id}`}>
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

function NodeDetail({ node, model, onSelect }: { node: GraphNode; model: MapModel; onSelect: (id: string) => void }) {
  const t = useT();
  const { time } = useRange();
  const callers = model.edges.filter((edge) => edge.target === node.id);
  const callees = model.edges.filter((edge) => edge.source === node.id);
  const isService = node.kind === 'service';
  return (
    <>
      <h2 className={styles['panelTitle']}>{isService ? <ServiceTag name={node.name} /> : node.name}</h2>
      <p className={styles['soft']}>{t(`map.kind.${node.kind}`)}</p>
      <Figures calls={node.calls} errors={node.errors} seconds={model.seconds} />
      {isService && (
        <p className={styles['onward']}>
          <Link href={pageLink(paths.traces, time, { q: `service:${quote(node.name)}` })}>
            <Icon name="traces" size={14} /> {t('map.openTraces')}
          </Link>
          <Link href={pageLink(paths.logs, time, { q: `service:${quote(node.name)}` })}>
            <Icon name="logs" size={14} /> {t('map.openLogs')}
          </Link>
        </p>
      )}
      <Neighbours title={t('map.callers')} edges={callers} end="source" model={model} onSelect={onSelect} />
      <Neighbours title={t('map.callees')} edges={callees} end="target" model={model} onSelect={onSelect} />
    </>
  );
}

function Neighbours({
  title,
  edges,
  end,
  model,
  onSelect,
}: {
  title: string;
  edges: readonly MapEdge[];
  end: 'source' | 'target';
  model: MapModel;
  onSelect: (id: string) => void;
}) {
  const t = useT();
  return (
    <Section title={title}>
      {edges.length === 0 ? (
        <p className={styles['soft']}>{t('map.none')}</p>
      ) : (
        <ul className={styles['neighbours']}>
          {edges.map((edge) => (
            <li key={edge.key}>
              <button type="button" onClick={() => onSelect(edge.key)}>
                <span>{model.nodes.get(edge[end])?.name ?? edge[end]}</span>
                <span className={styles['soft']}>{edge.protocol}</span>
                <b>{rate(edge.rate)}</b>
                <b>{edge.p95 === null ? '–' : duration(edge.p95)}</b>
                <b data-bad={edge.share >= 0.05}>{percent(edge.share)}</b>
              </button>
            </li>
          ))}
        </ul>
      )}
    </Section>
  );
}

function Figures({ calls, errors, seconds }: { calls: number; errors: number; seconds: number }) {
  const t = useT();
  const share = calls === 0 ? 0 : errors / calls;
  return (
    <dl className={styles['figures']}>
      <div>
        <dt>{t('map.calls')}</dt>
        <dd>{count(calls)}</dd>
      </div>
      <div>
        <dt>{t('map.rate')}</dt>
        <dd>{rate(calls / Math.max(1, seconds))}</dd>
      </div>
      <div>
        <dt>{t('map.errors')}</dt>
        <dd>{count(errors)}</dd>
      </div>
      <div>
        <dt>{t('map.errorShare')}</dt>
        <dd data-bad={share >= 0.05}>{percent(share)}</dd>
      </div>
    </dl>
  );
}

function Latency({ name, side }: { name: string; side: Quantiles | null }) {
  return (
    <tr>
      <th scope="row">{name}</th>
      {side ? (
        [side.p50_ns, side.p95_ns, side.p99_ns].map((value, index) => <td key={index}>{duration(value)}</td>)
      ) : (
        <td colSpan={3}>–</td>
      )}
    </tr>
  );
}

function Section({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className={styles['section']}>
      <h3>{title}</h3>
      {children}
    </section>
  );
}
