// The one place that speaks HTTP.

import { withTenant } from '../lib/tenant';

const BASE = '/api/v1';

export class ApiError extends Error {
  override name = 'ApiError';
  constructor(
    readonly code: string,
    message: string,
    readonly status: number,
    /** Where in the query text the error is, in bytes of UTF-8. */
    readonly position: number | null,
  ) {
    super(message);
  }
}

export type Params = Record<string, string | number | null | undefined>;

export function address(path: string, params: Params = {}): string {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(params)) {
    if (value !== null && value !== undefined && value !== '') query.set(key, String(value));
  }
  const text = query.toString();
  return withTenant(`${BASE}${path}${text === '' ? '' : `?${text}`}`);
}

export async function get<T>(path: string, params: Params, signal?: AbortSignal): Promise<T> {
  const response = await send(address(path, params), signal ? { signal } : {});
  return (await response.json()) as T;
}

export async function post(path: string, body: unknown, accept: string, signal?: AbortSignal): Promise<Response> {
  return send(address(path), {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept },
    body: JSON.stringify(body),
    ...(signal ? { signal } : {}),
  });
}

async function send(url: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, init);
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === 'AbortError') throw cause;
    throw new ApiError('unreachable', String(cause instanceof Error ? cause.message : cause), 0, null);
  }
  if (response.ok) return response;
  throw await readError(response);
}

async function readError(response: Response): Promise<ApiError> {
  const text = await response.text();
  try {
    const { error } = JSON.parse(text) as { error: { code: string; message: string; position?: number } };
    return new ApiError(error.code, error.message, response.status, error.position ?? null);
  } catch {
    return new ApiError('internal', text.slice(0, 300) || response.statusText, response.status, null);
  }
}
