// Narrows the list; every choice is in the address.

import type { Finding, Rule } from '../../api/governance';
import { useI18n } from '../../i18n';
import { inLanguage } from '../../parts/findings';
import { Select } from '../../ui/Select';
import { rulesOf, servicesOf } from './model';
import { STATES, type GovernanceState } from './state';
import styles from './governance.module.css';

interface FiltersProps {
  state: GovernanceState;
  findings: readonly Finding[];
  rules: readonly Rule[];
  onChange: (change: Partial<GovernanceState>) => void;
}

export function Filters({ state, findings, rules, onChange }: FiltersProps) {
  const { t, language } = useI18n();
  const titles = new Map(rules.map((rule) => [rule.rule, inLanguage(rule.title, language)]));
  const services = [...new Set([...servicesOf(findings), ...(state.service ? [state.service] : [])])].sort();
  return (
    <div className={styles['filters']}>
      <Select
        label={t('gov.state')}
        value={state.state}
        set={state.state !== 'open'}
        onChange={(value) => onChange({ state: value as GovernanceState['state'] })}
      >
        {STATES.map((name) => (
          <option key={name} value={name}>
            {t(`gov.state.${name}`)}
          </option>
        ))}
      </Select>
      <Select
        label={t('gov.severity')}
        value={state.severity}
        onChange={(value) => onChange({ severity: value as GovernanceState['severity'] })}
      >
        <option value="">{t('gov.any')}</option>
        {(['critical', 'warning', 'info'] as const).map((name) => (
          <option key={name} value={name}>
            {t(`severity.${name}`)}
          </option>
        ))}
      </Select>
      <Select label={t('gov.rule')} value={state.rule} onChange={(rule) => onChange({ rule })}>
        <option value="">{t('gov.any')}</option>
        {rulesOf(findings, rules).map((rule) => (
          <option key={rule} value={rule}>
            {rule} {titles.get(rule) ?? ''}
          </option>
        ))}
      </Select>
      <Select label={t('gov.service')} value={state.service} onChange={(service) => onChange({ service })}>
        <option value="">{t('gov.any')}</option>
        {services.map((service) => (
          <option key={service} value={service}>
            {service}
          </option>
        ))}
      </Select>
    </div>
  );
}
