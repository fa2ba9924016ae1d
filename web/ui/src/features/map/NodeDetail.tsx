// One node: its figures, its findings, who calls it and whom it calls.

import { Link } from 'wouter';
import { useT } from '../../i18n';
import { pageLink } from '../../lib/links';
import { duration, percent, rate } from '../../lib/format';
import { useRange } from '../../lib/range-context';
import { LayerBadge } from '../../parts/figures';
import { FindingLinks } from '../../parts/FindingLinks';
import { ServiceTag } from '../../parts/ServiceTag';
import { quote } from '../../query/terms';
import { paths, servicePath } from '../../routes';
import { Button } from '../../ui/Button';
import { Icon } from '../../ui/Icon';
import type { MapEdge, MapModel, MapNode } from './model';
import { Figures, Section } from './Panel';
import { GROUP } from './scope';
import type { PanelProps } from './SelectionPanel';
import styles from './panel.module.css';

export function NodeDetail({ node, model, overlay, env, focus, onSelect, onFocus, onOpenGroup }: PanelProps & { node: MapNode }) {
  const t = useT();
  const { time } = useRange();
  const group = node.members !== undefined;
  const isService = node.kind === 'service' && !group;
  const found = overlay.nodes.get(node.id);
  const q = `service:${quote(node.name)}`;
  return (
    <>
      <h2 className={styles['panelTitle']}>{isService ? <ServiceTag name={node.name} /> : node.name}</h2>
      <p className={styles['soft']}>
        {group ? `${t('map.group')} · ${t('map.groupOf', { n: node.members ?? 0 })}` : t(`map.kind.${node.kind}`)}{' '}
        {node.layer && <LayerBadge layer={node.layer} />}
      </p>
      <Figures calls={node.calls} errors={node.errors} seconds={model.seconds} />
      {isService && (
        <p className={styles['onward']}>
          <Link href={pageLink(servicePath(node.name), time, { env })}>
            <Icon name="services" size={14} /> {t('map.openService')}
          </Link>
          <Link href={pageLink(paths.traces, time, { q })}>
            <Icon name="traces" size={14} /> {t('map.openTraces')}
          </Link>
          <Link href={pageLink(paths.logs, time, { q })}>
            <Icon name="logs" size={14} /> {t('map.openLogs')}
          </Link>
        </p>
      )}
      <p className={styles['onward']}>
        {group ? (
          <Button icon="plus" onClick={() => onOpenGroup(node.id.slice(GROUP.length))}>
            {t('map.openGroup')}
          </Button>
        ) : focus === node.id ? (
          <Button icon="fit" onClick={() => onFocus('')}>
            {t('map.focus.clear')}
          </Button>
        ) : (
          model.nodes.has(node.id) && (
            <Button icon="fit" onClick={() => onFocus(node.id)}>
              {t('map.focus.set')}
            </Button>
          )
        )}
      </p>
      {found && (
        <Section title={t('findings.open')}>
          <FindingLinks findings={found} env={env} />
        </Section>
      )}
      <Neighbours
        title={t('map.callers')}
        edges={model.edges.filter((edge) => edge.target === node.id)}
        end="source"
        {...{ model, onSelect }}
      />
      <Neighbours
        title={t('map.callees')}
        edges={model.edges.filter((edge) => edge.source === node.id)}
        end="target"
        {...{ model, onSelect }}
      />
    </>
  );
}

interface NeighboursProps {
  title: string;
  edges: readonly MapEdge[];
  end: 'source' | 'target';
  model: MapModel;
  onSelect: (id: string) => void;
}

function Neighbours({ title, edges, end, model, onSelect }: NeighboursProps) {
  const t = useT();
  return (
    <Section title={title}>
      {edges.length === 0 ? (
        <p className={styles['soft']}>{t('map.none')}</p>
      ) : (
        <ul className={styles['neighbours']}>
          {[...edges]
            .sort((a, b) => b.calls - a.calls)
            .map((edge) => (
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
