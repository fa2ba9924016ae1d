// The rules: what each says, what it leaves out, and where its thresholds stand.

import type { UseQueryResult } from '@tanstack/react-query';
import type { Finding, Rule, RuleList } from '../../api/governance';
import { useI18n, useT } from '../../i18n';
import { SeverityMark } from '../../parts/figures';
import { byRule, conceptsOf, inLanguage, inUnit, plainName } from '../../parts/findings';
import { ErrorState, Loading } from '../../parts/states';
import styles from './governance.module.css';

interface RulesProps {
  answer: UseQueryResult<RuleList>;
  findings: readonly Finding[];
  onRule: (rule: string) => void;
}

export function Rules({ answer, findings, onRule }: RulesProps) {
  const t = useT();
  if (answer.isPending) return <Loading />;
  if (!answer.data) return <ErrorState error={answer.error ?? new Error('')} onRetry={() => void answer.refetch()} />;
  const shared = (answer.data.rules[0]?.thresholds ?? []).filter(common);
  return (
    <div className={styles['sheet']} role="region" aria-label={t('gov.tab.rules')} tabIndex={0}>
      {shared.length > 0 && (
        <article className={styles['ruleRow']}>
          <h2>{t('gov.rules.all')}</h2>
          <p className={styles['soft']}>{t('gov.rules.all.what')}</p>
          <Thresholds thresholds={shared} />
        </article>
      )}
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
  return (
    <article className={styles['ruleRow']}>
      <header>
        <h2>
          <SeverityMark severity={rule.severity} /> {rule.rule} {inLanguage(rule.title, language)}
        </h2>
        <p className={styles['soft']}>
          {conceptsOf(rule.rule)
            .map((concept) => t(`gov.concept.${concept}`))
            .join(' · ')}
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
      <Thresholds thresholds={rule.thresholds.filter((threshold) => !common(threshold))} />
    </article>
  );
}

type Threshold = Rule['thresholds'][number];

/** Those of all rules come with every rule, and stand once. */
const common = (threshold: Threshold): boolean => threshold.name.startsWith('common.');

function Thresholds({ thresholds }: { thresholds: readonly Threshold[] }) {
  const { t, language } = useI18n();
  return (
    <dl aria-label={t('gov.rules.thresholds')}>
      {thresholds.map((threshold) => {
        const changed = String(threshold.value) !== String(threshold.default);
        return (
          <div key={threshold.name} data-changed={changed} title={`${threshold.name}${changed ? ` · ${t('gov.rules.changed')}` : ''}`}>
            <dt>
              {inLanguage(threshold.what, language) || plainName(threshold.name)}
              {changed && ` (${t('gov.rules.default', { value: inUnit(threshold.default, threshold.unit) })})`}
            </dt>
            <dd>{inUnit(threshold.value, threshold.unit)}</dd>
          </div>
        );
      })}
    </dl>
  );
}
