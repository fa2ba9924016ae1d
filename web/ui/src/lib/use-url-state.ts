// Binds a codec to the address bar.

import { useCallback, useMemo } from 'react';
import { useLocation, useSearch } from 'wouter';
import { withTenant } from './tenant';
import { formatState, parseState, type Codec } from './url-state';

export type Patch<S> = (change: Partial<S>, options?: { replace?: boolean }) => void;

/** State of the page and a way to change parts of it; `replace` keeps the browser's history short. */
export function useUrlState<S extends object>(codec: Codec<S>): readonly [S, Patch<S>] {
  const search = useSearch();
  const [, navigate] = useLocation();
  const state = useMemo(() => parseState(codec, search), [codec, search]);
  const patch = useCallback<Patch<S>>(
    (change, options) => {
      // The address bar, not the render: two patches in one event must not undo each other.
      const current = parseState(codec, window.location.search);
      const next = withTenant(formatState(codec, { ...current, ...change }));
      if (next !== window.location.search) navigate(window.location.pathname + next, { replace: options?.replace ?? false });
    },
    [codec, navigate],
  );
  return [state, patch];
}
