// Suggestions from the store: services, operations, attribute keys and values.

import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { get } from '../api/client';
import type { OperationList, ServiceList, TagList, TagValues } from '../api/types';
import type { Range } from '../lib/time';
import { rank, type Slot, type Suggestion } from './completion';
import { getTerm, type Table } from './terms';

const WORDS: Record<Table, Suggestion[]> = {
  spans: ['service:', 'operation:', 'duration>', 'error', 'outcome:', '{ '].map((text) => ({ text, kind: 'word', detail: '' })),
  logs: ['service:', 'severity>=', 'trace_id:'].map((text) => ({ text, kind: 'word', detail: '' })),
};

const FIXED: Record<string, string[]> = {
  outcome: [
    'ok',
    'error',
    'timeout',
    'cancelled',
    'limited',
    'shed',
    'breaker_open',
    'bulkhead',
    'fallback',
    'no_instance',
    'retry_exhausted',
    'denied',
  ],
  severity: ['trace', 'debug', 'info', 'warn', 'error', 'fatal'],
  duration: ['10ms', '100ms', '500ms', '1s', '5s'],
};
export const OUTCOMES = FIXED['outcome'] ?? [];
export const SEVERITIES = FIXED['severity'] ?? [];

const LIMIT = 12;

export interface Suggestions {
  items: Suggestion[];
  more: boolean;
}

export function useServices(range: Range) {
  const params = rangeParams(range);
  return useQuery({
    queryKey: ['services', params],
    queryFn: ({ signal }) => get<ServiceList>('/services', params, signal),
    placeholderData: keepPreviousData,
  });
}

export function useOperations(service: string, range: Range) {
  const params = rangeParams(range);
  return useQuery({
    queryKey: ['operations', service, params],
    queryFn: ({ signal }) => get<OperationList>(`/services/${encodeURIComponent(service)}/operations`, params, signal),
    enabled: service !== '',
    placeholderData: keepPreviousData,
  });
}

export function rangeParams(range: Range): { from: string; to: string } {
  return { from: String(range.from), to: String(range.to) };
}

/** Suggestions for a slot; asks the store only while a query bar has the focus. */
export function useSuggestions(table: Table, slot: Slot | null, text: string, range: Range, active: boolean): Suggestions {
  const key = bareKey(slot?.key ?? '');
  const valueSlot = active && slot?.kind === 'value';
  const service = key === 'operation' ? getTerm(text, 'service', ':') : '';
  const params = rangeParams(range);
  const isService = key === 'service' || key === 'service.name';
  const tags = useQuery({
    queryKey: ['tags', table, params],
    queryFn: ({ signal }) => get<TagList>('/tags', { table, ...params }, signal),
    enabled: active,
    placeholderData: keepPreviousData,
  });
  const services = useQuery({
    queryKey: ['services', params],
    queryFn: ({ signal }) => get<ServiceList>('/services', params, signal),
    enabled: valueSlot === true && isService,
    placeholderData: keepPreviousData,
  });
  const operations = useOperations(valueSlot && key === 'operation' ? service : '', range);
  const fromTags = valueSlot === true && !isService && !(key in FIXED) && key !== '' && (key !== 'operation' || service === '');
  const prefix = slot?.prefix ?? '';
  const values = useQuery({
    queryKey: ['values', table, key, prefix, params],
    queryFn: ({ signal }) =>
      get<TagValues>(
        `/tags/${encodeURIComponent(key === 'operation' ? 'name' : key)}/values`,
        { table, ...params, prefix, limit: 100 },
        signal,
      ),
    enabled: fromTags,
    placeholderData: keepPreviousData,
    retry: false,
  });
  return useMemo(() => {
    if (!slot || !active) return { items: [], more: false };
    if (slot.kind === 'key') {
      const keys: Suggestion[] = (tags.data?.tags ?? []).map((tag) => ({ text: tag.key, kind: 'key', detail: tag.scope }));
      return {
        items: slot.prefix === '' ? rank(WORDS[table], '', LIMIT) : rank([...WORDS[table], ...dedupe(keys)], slot.prefix, LIMIT),
        more: false,
      };
    }
    const found = isService
      ? (services.data?.services.map((item) => item.id) ?? [])
      : key in FIXED
        ? (FIXED[key] ?? [])
        : service !== ''
          ? (operations.data?.operations.map((item) => item.name) ?? [])
          : fromTags
            ? (values.data?.values ?? [])
            : [];
    const items = rank(
      [...new Set(found)].map((value) => ({ text: value, kind: 'value', detail: '' })),
      slot.prefix,
      LIMIT,
    );
    return { items: items.length === 1 && items[0]?.text === slot.prefix ? [] : items, more: fromTags && (values.data?.more ?? false) };
  }, [slot, active, table, key, isService, service, fromTags, tags.data, services.data, operations.data, values.data]);
}

function dedupe(suggestions: Suggestion[]): Suggestion[] {
  const byText = new Map<string, Suggestion>();
  for (const item of suggestions) {
    const known = byText.get(item.text);
    byText.set(item.text, known && !known.detail.includes(item.detail) ? { ...known, detail: `${known.detail}, ${item.detail}` } : item);
  }
  return [...byText.values()];
}

/** `resource.service.name` and `.http.method` are TraceQL's ways to write a plain key. */
function bareKey(key: string): string {
  return key.replace(/^(?:resource|span|event|link|scope|instrumentation)?\./, '');
}
