// What has been found and by which rules, shared by all pages.

import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { get } from '../api/client';
import type { FindingList, RuleList } from '../api/governance';
import { useRange } from '../lib/range-context';

/** Asked again with every refresh: the end of the range is part of the key. */
export function useFindings(params: { state: string; service?: string; env?: string }) {
  const { range } = useRange();
  return useQuery({
    queryKey: ['findings', params, String(range.to)],
    queryFn: ({ signal }) => get<FindingList>('/findings', params, signal),
    placeholderData: keepPreviousData,
  });
}

export function useRules() {
  return useQuery({ queryKey: ['rules'], queryFn: ({ signal }) => get<RuleList>('/findings/rules', {}, signal) });
}
