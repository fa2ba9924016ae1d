// Whose data is shown: the tenant that the address names. It stays as long as the page is open; choosing another
// one loads the page anew, so that nothing of the one before is left.

const KEY = 'tenant';

/** null: the default tenant. */
export function tenantOf(search: string): string | null {
  const named = new URLSearchParams(search).get(KEY);
  return named === '' ? null : named;
}

/** Of this page. */
export const tenant: string | null = typeof window === 'undefined' ? null : tenantOf(window.location.search);

/** The link, which leads to the same tenant's pages and answers. One that names a tenant stays as it is. */
export function withTenant(link: string, id: string | null = tenant): string {
  const query = link.includes('?') ? link.slice(link.indexOf('?')) : '';
  if (id === null || tenantOf(query) !== null) return link;
  return `${link}${query === '' ? '?' : query === '?' ? '' : '&'}${KEY}=${encodeURIComponent(id)}`;
}
