// A bounded buffer of live records: newest first, the oldest leave, and nothing leaves uncounted.

import type { LogRecord } from '../../api/types';

export const RING = 5000;

export interface Ring {
  logs: readonly LogRecord[];
  /** Records that came since the start, shown or gone. */
  seen: number;
  /** Records the server says it could not send. */
  dropped: number;
}

export const emptyRing: Ring = { logs: [], seen: 0, dropped: 0 };

/** Adds records in order of arrival. */
export function push(ring: Ring, arrived: readonly LogRecord[], limit = RING): Ring {
  if (arrived.length === 0) return ring;
  const logs = [...arrived.toReversed(), ...ring.logs].slice(0, limit);
  return { ...ring, logs, seen: ring.seen + arrived.length };
}

export function drop(ring: Ring, count: number): Ring {
  return { ...ring, dropped: ring.dropped + count };
}
