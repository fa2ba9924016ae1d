// Lays out large graphs away from the page's thread.

import { layout, type LayoutInput } from './layout';

addEventListener('message', (event: MessageEvent<{ key: string; input: LayoutInput }>) => {
  postMessage({ key: event.data.key, result: layout(event.data.input) });
});
