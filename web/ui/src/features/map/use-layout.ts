// The layout of a graph: at once for small ones, from a worker above a hundred nodes.

import { useEffect, useMemo, useState } from 'react';
import { layout, type Layout, type LayoutInput } from './layout';

const IN_PAGE = 100;

export function useLayout(input: LayoutInput): Layout | null {
  const small = input.nodes.length <= IN_PAGE;
  const key = useMemo(() => JSON.stringify(input), [input]);
  const here = useMemo(() => (small ? layout(input) : null), [small, input]);
  const [remote, setRemote] = useState<{ key: string; result: Layout } | null>(null);
  useEffect(() => {
    if (small) return undefined;
    const worker = new Worker(new URL('./layout.worker.ts', import.meta.url), { type: 'module', name: 'layout' });
    worker.addEventListener('message', (event: MessageEvent<{ key: string; result: Layout }>) => setRemote(event.data));
    worker.postMessage({ key, input });
    return () => worker.terminate();
  }, [small, key, input]);
  return here ?? (remote?.key === key ? remote.result : null);
}
