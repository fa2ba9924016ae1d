// What could not be judged, and why: a rule that is silent for want of data is not a rule that found nothing.

import type { NotEvaluated, Rule } from '../../api/governance';
import { useI18n } from '../../i18n';
import { inLanguage } from '../../parts/findings';
import { nodeName } from '../../parts/nodes';
import { Heads } from '../../ui/Heads';
import table from '../../ui/table.module.css';
import { blindByRule } from './model';
import styles from './governance.module.css';

export function Blind({ items, evaluated, rules }: { items: readonly NotEvaluated[]; evaluated: string | null; rules: readonly Rule[] }) {
  const { t, language } = useI18n();
  if (evaluated === null && items.length === 0) {
    return (
      <div className={styles['empty']}>
        <h2>{t('gov.never')}</h2>
        <p>{t('gov.never.hint')}</p>
      </div>
    );
  }
  if (items.length === 0) {
    return (
      <div className={styles['empty']}>
        <h2>{t('gov.allEvaluated')}</h2>
      </div>
    );
  }
  const titles = new Map(rules.map((rule) => [rule.rule, inLanguage(rule.title, language)]));
  return (
    <div className={styles['sheet']} role="region" aria-label={t('gov.tab.blind')} tabIndex={0}>
      <table className={table['table']}>
        <Heads of={[t('gov.rule'), '', t('gov.subject'), t('gov.reason')]} />
        {blindByRule(items).map(([rule, reasons]) => (
          <tbody key={rule}>
            {reasons.map((item, index) => (
              <tr key={`${item.subject} ${index}`}>
                <td>{index === 0 && <b>{rule}</b>}</td>
                <td>{index === 0 && titles.get(rule)}</td>
                <td>{item.subject === null ? <span className={styles['soft']}>{t('gov.state.all')}</span> : nodeName(item.subject)}</td>
                <td data-wide title={inLanguage(item.reason, language)}>
                  {inLanguage(item.reason, language)}
                </td>
              </tr>
            ))}
          </tbody>
        ))}
      </table>
    </div>
  );
}
