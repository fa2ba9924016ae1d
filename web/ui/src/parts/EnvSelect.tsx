// Narrows a page to one deployment environment. Hidden where there is no choice.

import { useMemo } from 'react';
import { useT } from '../i18n';
import { useRange } from '../lib/range-context';
import { useServices } from '../query/use-suggestions';
import { Select } from '../ui/Select';

export function EnvSelect({ value, onChange }: { value: string; onChange: (env: string) => void }) {
  const t = useT();
  const { range } = useRange();
  // Every environment of the range, whichever is chosen.
  const services = useServices(range);
  const known = useMemo(
    () =>
      [...new Set([...(services.data?.services.flatMap((service) => service.environments ?? []) ?? []), ...(value ? [value] : [])])].sort(),
    [services.data, value],
  );
  if (known.length === 0 || (known.length === 1 && value === '')) return null;
  return (
    <Select label={t('env.label')} value={value} onChange={onChange}>
      <option value="">{t('env.all')}</option>
      {known.map((env) => (
        <option key={env} value={env}>
          {env}
        </option>
      ))}
    </Select>
  );
}
