// No finding to show. That alone proves nothing, so it says what was evaluated, when, and what was not.

import type { FindingList, NotEvaluated, Rule } from '../../api/governance';
import { useI18n, useT } from '../../i18n';
import { clock, day } from '../../lib/time';
import { conceptsOf, inLanguage } from '../../parts/findings';
import { nodeName } from '../../parts/nodes';
import { Button } from '../../ui/Button';
import { blindByRule } from './model';
import type { GovernanceState } from './state';
import styles from './governance.module.css';

const MOST_REASONS = 12;

interface EmptyProps {
  state: GovernanceState;
  list: FindingList;
  rules: readonly Rule[];
  onBlind: () => void;
  onClear: () => void;
}

export function Empty({ state, list, rules, onBlind, onClear }: EmptyProps) {
  const t = useT();
  const filtered = list.findings.length > 0;
  const blind = blindByRule(list.not_evaluated ?? []).length;
  const evaluated = list.evaluated_ns;
  const { concept } = state;
  const reasons =
    concept === '' ? [] : (list.not_evaluated ?? []).filter((item) => conceptsOf(item.rule).includes(concept)).slice(0, MOST_REASONS);
  return (
    <div className={styles['empty']}>
      {!evaluated ? (
        <>
          <h2>{t('gov.never')}</h2>
          <p>{t('gov.never.hint')}</p>
        </>
      ) : (
        <>
          <h2>
            {filtered ? t('gov.empty.filtered') : t('gov.empty', { state: state.state === 'all' ? '' : t(`gov.state.${state.state}`) })}
          </h2>
          <p>{t('gov.empty.evaluated', { time: `${day(evaluated)} ${clock(evaluated).slice(0, 8)}`, rules: rules.length, blind })}</p>
        </>
      )}
      <Reasons items={reasons} />
      <p>
        {filtered && <Button onClick={onClear}>{t('gov.clear')}</Button>}
        {blind > 0 && (
          <Button weight="quiet" onClick={onBlind}>
            {t('gov.empty.blind')}
          </Button>
        )}
      </p>
    </div>
  );
}

/** Why the chosen concept could not be judged. */
function Reasons({ items }: { items: readonly NotEvaluated[] }) {
  const { language } = useI18n();
  if (items.length === 0) return null;
  return (
    <ul className={styles['reasons']}>
      {items.map((item) => (
        <li key={`${item.rule} ${item.subject} ${item.reason.en}`}>
          <b>{item.rule}</b> {item.subject !== null && `${nodeName(item.subject)}: `}
          {inLanguage(item.reason, language)}
        </li>
      ))}
    </ul>
  );
}
