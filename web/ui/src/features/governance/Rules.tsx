// The rules: what each says, what it leaves out, and where its thresholds stand.

import type { UseQueryResult } from '@tanstack/react-query';
import type { Finding, Rule, RuleList } from '../../api/governance';
import { useI18n } from '../../i18n';
import { SeverityMark } from '../../parts/figures';
import { byRule, conceptOf, inLanguage, label } from '../../parts/findings';
import { ErrorState, Loading } from '../../parts/states';
import styles from './governance.module.css';

interface RulesProps {
  answer: UseQueryResult<RuleList>;
  findings: readonly Finding[];
  onRule: (rule: string) => void;
}

export function Rules({ answer, findings, onRule }: RulesProps) {
  if (answer.isPending) return <Loading />;
  if (!answer.data) return <ErrorState error={answer.error ?? new Error('')} onRetry={() => void answer.refetch()} />;
  return (
    <div className={styles['sheet']}>
      {[...answer.data.rules]
        .sort((a, b) => byRule(a.rule, b.rule))
        .map((rule) => (
          <RuleRow key={rule.rule} rule={rule} found={findings.filter((finding) => finding.rule === rule.rule).length} onRule={onRule} />
        ))}
    </div>
  );
}

function RuleRow({ rule, found, onRule }: { rule: Rule; found: number; onRule: (rule: string) => void }) {
  const { t, language } = useI18n();
  const concept = conceptOf(rule.rule, rule.name);
  return (
    <article className={styles['ruleRow']}>
      <header>
        <h2>
          <SeverityMark severity={rule.severity} /> {rule.rule} {inLanguage(rule.title, language)}
        </h2>
        <p className={styles['soft']}>
          {concept && t(`gov.concept.${concept}`)}
          {found > 0 && (
            <button type="button" className={styles['inline']} title={t('gov.rules.findings')} onClick={() => onRule(rule.rule)}>
              {t('findings.count', { n: found })}
            </button>
          )}
        </p>
      </header>
      <div>
        <p>{inLanguage(rule.what, language)}</p>
        {inLanguage(rule.guard, language) !== '' && (
          <p className={styles['soft']}>
            {t('gov.rules.guard')}: {inLanguage(rule.guard, language)}
          </p>
        )}
      </div>
      <ul aria-label={t('gov.rules.thresholds')}>
        {rule.thresholds.map((threshold) => {
          const changed = String(threshold.value) !== String(threshold.default);
          return (
            <li key={threshold.name} data-changed={changed} title={`${threshold.name}${changed ? ` · ${t('gov.rules.changed')}` : ''}`}>
              <span>{inLanguage(threshold.what, language) || label(threshold.name)}</span>
              <b>
                {String(threshold.value)} {threshold.unit}
              </b>
              {changed && <small>{t('gov.rules.default', { value: String(threshold.default) })}</small>}
            </li>
          );
        })}
      </ul>
    </article>
  );
}
