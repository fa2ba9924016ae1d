// The same graph as a table.

import { useT } from '../../i18n';
import { count, duration, percent, rate } from '../../lib/format';
import { OutcomeChips } from '../../parts/figures';
import { Heads } from '../../ui/Heads';
import type { MapModel } from './model';
import styles from './map.module.css';

export function EdgeTable({ model, selected, onSelect }: { model: MapModel; selected: string; onSelect: (id: string) => void }) {
  const t = useT();
  const name = (id: string): string => model.nodes.get(id)?.name ?? id;
  return (
    <div className={styles['tableBox']}>
      <table className={styles['table']}>
        <Heads
          of={[
            t('map.source'),
            t('map.target'),
            t('map.protocol'),
            t('map.mode'),
            t('map.identity'),
            { number: t('map.calls') },
            { number: t('map.rate') },
            { number: t('map.errorShare') },
            { number: `${t('map.client')} p95` },
            { number: `${t('map.server')} p95` },
            t('map.outcomes'),
          ]}
        />
        <tbody>
          {[...model.edges]
            .sort((a, b) => b.calls - a.calls)
            .map((edge) => (
              <tr key={edge.key} data-selected={selected === edge.key} onClick={() => onSelect(edge.key)}>
                <td>
                  <button type="button" onClick={() => onSelect(edge.key)}>
                    {name(edge.source)}
                  </button>
                </td>
                <td>{name(edge.target)}</td>
                <td>{edge.protocol ?? '–'}</td>
                <td>{edge.mode ? t(`map.mode.${edge.mode}`) : '–'}</td>
                <td>{edge.identity ? t(`map.identity.${edge.identity}`) : '–'}</td>
                <td data-number>{count(edge.calls)}</td>
                <td data-number>{rate(edge.rate)}</td>
                <td data-number data-bad={edge.share >= 0.05}>
                  {percent(edge.share)}
                </td>
                <td data-number>{edge.client ? duration(edge.client.p95_ns) : '–'}</td>
                <td data-number>{edge.server ? duration(edge.server.p95_ns) : '–'}</td>
                <td>
                  <OutcomeChips outcomes={edge.outcomes} most={3} />
                </td>
              </tr>
            ))}
        </tbody>
      </table>
    </div>
  );
}
