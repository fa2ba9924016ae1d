// The registry's view: when each instance was there, drawn as a strip over the window.

import type { ServiceDetail } from '../../api/governance';
import { useT } from '../../i18n';
import { compact, count } from '../../lib/format';
import { clock } from '../../lib/time';
import { Heads } from '../../ui/Heads';
import { presence, strips } from './model';
import { TableSection } from './Section';
import styles from './service.module.css';

const CELLS = 120;
const HEIGHT = 14;

export function Instances({ detail }: { detail: ServiceDetail }) {
  const t = useT();
  const rows = strips(detail.instances, CELLS);
  const atOnce = detail.service.autonomy?.instances_at_once;
  const note =
    atOnce === null || atOnce === undefined ? count(rows.length) : `${count(rows.length)} · ${t('service.instances.at')} ${atOnce}`;
  return (
    <TableSection
      title={t('service.instances')}
      note={note}
      head={
        <Heads
          of={[
            t('service.instance'),
            t('service.version'),
            t('service.time'),
            { number: t('service.firstSeen') },
            { number: t('service.lastSeen') },
            { number: t('service.spans') },
          ]}
        />
      }
      rows={rows.map(({ instance, cells }) => (
        <tr key={`${instance.instance} ${instance.version}`} data-gone={instance.gone}>
          <td className={styles['instance']} title={instance.instance}>
            {instance.instance}
            {instance.gone && <span className={styles['gone']}>{t('service.instance.gone')}</span>}
          </td>
          <td data-soft>{instance.version ?? '–'}</td>
          <td className={styles['stripCell']}>
            <Strip cells={cells} gone={instance.gone ?? false} />
          </td>
          <td data-number>{clock(instance.first_ns).slice(0, 8)}</td>
          <td data-number>{clock(instance.last_ns).slice(0, 8)}</td>
          <td data-number>{compact(instance.spans)}</td>
        </tr>
      ))}
    />
  );
}

function Strip({ cells, gone }: { cells: readonly number[]; gone: boolean }) {
  const runs = presence(cells);
  const last = runs.at(-1)?.[1] ?? 0;
  return (
    <svg
      className={styles['strip']}
      viewBox={`0 0 ${cells.length} ${HEIGHT}`}
      preserveAspectRatio="none"
      height={HEIGHT}
      aria-hidden="true"
    >
      <line x1="0" x2={cells.length} y1={HEIGHT / 2} y2={HEIGHT / 2} className={styles['stripLine']} />
      {runs.map(([from, to]) => (
        <rect key={from} x={from} width={to - from + 1} y="2" height={HEIGHT - 4} className={styles['stripRun']} />
      ))}
      {cells.map((value, at) =>
        value > 0 ? (
          <rect
            key={at}
            x={at}
            width="1"
            y={HEIGHT - 2 - (HEIGHT - 4) * value}
            height={(HEIGHT - 4) * value}
            className={styles['stripLoad']}
          />
        ) : null,
      )}
      {gone && <rect x={last + 1} width="0.8" y="0" height={HEIGHT} className={styles['stripEnd']} />}
    </svg>
  );
}
