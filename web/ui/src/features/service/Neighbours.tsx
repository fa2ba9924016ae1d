// Who calls this service and whom it calls.

import { Link } from 'wouter';
import type { ServiceDetail } from '../../api/governance';
import type { GraphEdge } from '../../api/types';
import { useT } from '../../i18n';
import { compact, count, duration } from '../../lib/format';
import { pageLink } from '../../lib/links';
import { useRange } from '../../lib/range-context';
import { nodeKind, nodeName } from '../../parts/nodes';
import { OutcomeChips, ShareCell } from '../../parts/figures';
import { ServiceTag } from '../../parts/ServiceTag';
import { paths, servicePath } from '../../routes';
import { Heads } from '../../ui/Heads';
import { Icon } from '../../ui/Icon';
import { TableSection } from './Section';
import styles from './service.module.css';

export function Neighbours({ detail, env }: { detail: ServiceDetail; env: string }) {
  const t = useT();
  return (
    <>
      <Side title={t('service.upstream')} edges={detail.upstream} end="source" env={env} id={detail.service.id} />
      <Side title={t('service.downstream')} edges={detail.downstream} end="target" env={env} id={detail.service.id} />
    </>
  );
}

function Side({
  title,
  edges,
  end,
  env,
  id,
}: {
  title: string;
  edges: readonly GraphEdge[];
  end: 'source' | 'target';
  env: string;
  id: string;
}) {
  const t = useT();
  const { time } = useRange();
  const sorted = [...edges].sort((a, b) => b.calls - a.calls);
  return (
    <TableSection
      title={title}
      note={count(edges.length)}
      head={
        <Heads
          of={[
            t(end === 'source' ? 'map.source' : 'map.target'),
            t('map.protocol'),
            { number: t('figure.calls') },
            { number: t('figure.errors') },
            { number: `${t('map.client')} p95` },
            { number: `${t('map.server')} p95` },
            t('services.outcomes'),
            '',
          ]}
        />
      }
      rows={sorted.map((edge) => {
        const other = edge[end];
        const share = edge.calls === 0 ? 0 : edge.errors / edge.calls;
        const kind = nodeKind(other);
        return (
          <tr key={`${other} ${edge.protocol} ${edge.mode ?? ''}`}>
            <td data-wide title={other}>
              {kind === 'service' ? (
                <Link href={pageLink(servicePath(other), time, { env })}>
                  <ServiceTag name={other} />
                </Link>
              ) : (
                <>
                  {nodeName(other)} <span className={styles['kind']}>{t(`map.kind.${kind}`)}</span>
                </>
              )}
            </td>
            <td data-soft>
              {edge.protocol ?? '–'}
              {edge.mode === 'async' && ` · ${t('map.legend.async')}`}
            </td>
            <td data-number>{compact(edge.calls)}</td>
            <ShareCell share={share} />
            <td data-number>{edge.client ? duration(edge.client.p95_ns) : '–'}</td>
            <td data-number>{edge.server ? duration(edge.server.p95_ns) : '–'}</td>
            <td>
              <OutcomeChips outcomes={edge.outcomes} most={2} />
            </td>
            <td>
              <Link
                href={pageLink(paths.map, time, {
                  env,
                  focus: id,
                  sel: `${edge.source}→${edge.target}${edge.protocol ? `|${edge.protocol}` : ''}`,
                })}
                aria-label={t('service.onMap')}
                title={t('service.onMap')}
              >
                <Icon name="map" size={14} />
              </Link>
            </td>
          </tr>
        );
      })}
    />
  );
}
