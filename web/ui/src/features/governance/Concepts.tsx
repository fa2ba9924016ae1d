// The concepts of governance at a glance. A cell without findings says what that rests on.

import { useT } from '../../i18n';
import { FindingCounts } from '../../parts/figures';
import { SEVERITIES, worst, type Concept } from '../../parts/findings';
import type { ConceptCell } from './model';
import styles from './governance.module.css';

export function Concepts({
  cells,
  chosen,
  onChoose,
}: {
  cells: readonly ConceptCell[];
  chosen: string;
  onChoose: (concept: Concept | '') => void;
}) {
  const t = useT();
  return (
    <ul className={styles['concepts']} aria-label={t('gov.concepts')}>
      {cells.map((cell) => {
        const severity = worst(SEVERITIES.filter((name) => cell.counts[name] > 0));
        return (
          <li key={cell.concept}>
            <button
              type="button"
              aria-pressed={chosen === cell.concept}
              data-severity={severity ?? cell.says}
              onClick={() => onChoose(chosen === cell.concept ? '' : cell.concept)}
            >
              <b>{t(`gov.concept.${cell.concept}`)}</b>
              {cell.says === 'found' ? <FindingCounts counts={cell.counts} /> : <span className={styles['says']}>{says(cell)}</span>}
            </button>
          </li>
        );
      })}
    </ul>
  );

  function says(cell: ConceptCell): string {
    if (cell.says === 'never') return t('gov.cell.never');
    if (cell.says === 'none') return t('gov.cell.noRule');
    if (cell.says === 'blind') return t('gov.cell.blind', { n: cell.blind });
    return t('gov.cell.clear');
  }
}
