// Chooses whose data is shown. Hidden where there is no choice.

import { useQuery } from '@tanstack/react-query';
import { get } from '../api/client';
import type { TenantList } from '../api/types';
import { useT } from '../i18n';
import { pageLink } from '../lib/links';
import { useRange } from '../lib/range-context';
import { withTenant } from '../lib/tenant';
import { Select } from '../ui/Select';

export function TenantSelect() {
  const t = useT();
  const { time } = useRange();
  const answer = useQuery({ queryKey: ['tenants'], queryFn: ({ signal }) => get<TenantList>('/tenants', {}, signal) });
  const tenants = answer.data?.tenants ?? [];
  if (tenants.length < 2) return null;
  const open = (id: string): void => {
    // What is named in the rest of the address is of this tenant.
    const section = `/${window.location.pathname.split('/')[1] ?? ''}`;
    const isDefault = tenants.some((one) => one.id === id && one.default);
    window.location.assign(withTenant(pageLink(section, time), isDefault ? null : id));
  };
  return (
    <Select label={t('bar.tenant')} value={answer.data?.current ?? ''} set onChange={open}>
      {tenants.map(({ id }) => (
        <option key={id} value={id}>
          {id}
        </option>
      ))}
    </Select>
  );
}
