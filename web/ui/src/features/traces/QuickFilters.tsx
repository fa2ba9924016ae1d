// The conditions most searches begin with, as menus that edit the query text.

import { useT } from '../../i18n';
import { useRange } from '../../lib/range-context';
import { getTerm, hasWord, isComposite, setTerm, setWord } from '../../query/terms';
import { OUTCOMES, useOperations, useServices } from '../../query/use-suggestions';
import { Select } from '../../ui/Select';

const DURATIONS = ['10ms', '50ms', '100ms', '500ms', '1s', '5s'];

export function QuickFilters({ value, onChange }: { value: string; onChange: (query: string) => void }) {
  const t = useT();
  const { range } = useRange();
  const service = getTerm(value, 'service', ':');
  const operation = getTerm(value, 'operation', ':');
  const outcome = hasWord(value, 'error') ? 'any' : getTerm(value, 'outcome', ':');
  const minimum = getTerm(value, 'duration', '>=');
  const services = useServices(range);
  const operations = useOperations(service, range);
  if (isComposite(value)) return null;
  const names = withCurrent(services.data?.services.map((item) => item.id) ?? [], service);
  const operationNames = withCurrent([...new Set(operations.data?.operations.map((item) => item.name) ?? [])], operation);
  return (
    <>
      <Select
        label={t('filter.service')}
        value={service}
        onChange={(next) => onChange(setTerm(setTerm(value, 'operation', ':', ''), 'service', ':', next))}
      >
        <option value="">{t('filter.any')}</option>
        {names.map((name) => (
          <option key={name}>{name}</option>
        ))}
      </Select>
      <Select
        label={t('filter.operation')}
        value={operation}
        disabled={service === '' && operation === ''}
        title={service === '' ? t('filter.chooseService') : undefined}
        onChange={(next) => onChange(setTerm(value, 'operation', ':', next))}
      >
        <option value="">{t('filter.any')}</option>
        {operationNames.map((name) => (
          <option key={name}>{name}</option>
        ))}
      </Select>
      <Select
        label={t('filter.outcome')}
        value={outcome}
        onChange={(next) => onChange(setTerm(setWord(value, 'error', next === 'any'), 'outcome', ':', next === 'any' ? '' : next))}
      >
        <option value="">{t('filter.any')}</option>
        <option value="any">{t('filter.anyError')}</option>
        {OUTCOMES.map((name) => (
          <option key={name}>{name}</option>
        ))}
      </Select>
      <Select label={t('filter.duration')} value={minimum} onChange={(next) => onChange(setTerm(value, 'duration', '>=', next))}>
        <option value="">{t('filter.any')}</option>
        {withCurrent(DURATIONS, minimum).map((text) => (
          <option key={text}>{text}</option>
        ))}
      </Select>
    </>
  );
}

function withCurrent(names: string[], current: string): string[] {
  return current === '' || names.includes(current) ? names : [current, ...names];
}
