// The matrix as a table; a cell opens its edge. Arrow keys walk over the cells that have calls.

import { useMemo, useRef, type CSSProperties, type KeyboardEvent } from 'react';
import { useT } from '../../i18n';
import { Button } from '../../ui/Button';
import { compact, count, duration, percent } from '../../lib/format';
import { cellKey, heat, matrix, type Cell } from './matrix';
import type { MapModel } from './model';
import { METRICS, type Metric } from './state';
import styles from './matrix.module.css';

interface MatrixViewProps {
  model: MapModel;
  metric: Metric;
  selected: string;
  onMetric: (metric: Metric) => void;
  onSelect: (id: string) => void;
}

export function MatrixView({ model, metric, selected, onMetric, onSelect }: MatrixViewProps) {
  const t = useT();
  const { rows, columns, cells, most } = useMemo(() => matrix(model), [model]);
  const host = useRef<HTMLDivElement>(null);
  const name = (of: Metric): string => (of === 'p95' ? 'p95' : t(of === 'calls' ? 'map.calls' : 'map.errorShare'));
  return (
    <div className={styles['box']} ref={host} onKeyDown={(event) => walk(event, host.current)}>
      <div className={styles['metric']} role="group" aria-label={t('map.cell')}>
        {METRICS.map((item) => (
          <Button key={item} pressed={metric === item} onClick={() => onMetric(item)}>
            {name(item)}
          </Button>
        ))}
        <span>{t('map.matrix.caption')}</span>
      </div>
      <table className={styles['matrix']}>
        <caption>
          {t('map.matrix.caption')}: {name(metric)}
        </caption>
        <thead>
          <tr>
            <td />
            {columns.map((node) => (
              <th key={node.id} scope="col" title={node.name}>
                <button type="button" onClick={() => onSelect(node.id)}>
                  <span>{node.name}</span>
                </button>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.id}>
              <th scope="row" title={row.name}>
                <button type="button" onClick={() => onSelect(row.id)}>
                  {row.name}
                </button>
              </th>
              {columns.map((column) => {
                const cell = cells.get(cellKey(row.id, column.id));
                const same = row.id === column.id;
                if (!cell) return <td key={column.id} data-same={same} />;
                const strength = heat(cell, metric, most);
                return (
                  <td
                    key={column.id}
                    data-same={same}
                    data-metric={metric}
                    style={{ '--heat': `${Math.round(strength * 46)}%` } as CSSProperties}
                  >
                    <button
                      type="button"
                      aria-pressed={selected === cell.edge.key}
                      aria-label={`${row.name} → ${column.name}: ${count(cell.calls)}, ${percent(cell.share)}, ${cell.p95 === null ? '–' : duration(cell.p95)}`}
                      onClick={() => onSelect(cell.edge.key)}
                    >
                      {shown(cell, metric)}
                    </button>
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function shown(cell: Cell, metric: Metric): string {
  if (metric === 'calls') return compact(cell.calls);
  if (metric === 'errors') return percent(cell.share);
  return cell.p95 === null ? '–' : duration(cell.p95);
}

const STEPS: Record<string, readonly [number, number]> = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };

function walk(event: KeyboardEvent, host: HTMLElement | null): void {
  const step = STEPS[event.key];
  const cell = (event.target as Element).closest('td');
  const row = cell?.parentElement;
  if (!step || !cell || !row || !host) return;
  event.preventDefault();
  const lines = [...host.querySelectorAll('tbody tr')];
  let [y, x] = [lines.indexOf(row), [...row.children].indexOf(cell)];
  for (;;) {
    y += step[0];
    x += step[1];
    const next = lines[y]?.children[x];
    if (!next || next.tagName === 'TH') return;
    const button = next.querySelector('button');
    if (button) return button.focus();
  }
}
