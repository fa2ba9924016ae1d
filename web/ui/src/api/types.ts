// The answers of /api/v1 as docs/api.md states them. Absolute times are decimal strings of ns; durations numbers of ns.

export type Value =
  | { type: 'string'; value: string }
  | { type: 'bool'; value: boolean }
  | { type: 'int'; value: string }
  | { type: 'double'; value: number | string }
  | { type: 'bytes'; value: string }
  | { type: 'array'; value: Value[] }
  | { type: 'map'; value: Attribute[] }
  | { type: 'empty'; value: null };

export type Attribute = Value & { key: string };

export interface Notes {
  warnings?: string[];
  rows_read?: number;
  maybe_incomplete?: boolean;
}

export interface ServiceCount {
  name: string;
  span_count: number;
  error_count: number;
}

export interface TraceSummary {
  trace_id: string;
  root_service: string;
  root_name: string;
  root_kind: string;
  start_ns: string;
  duration_ns: number;
  span_count: number;
  error_count: number;
  orphan_count: number;
  services: ServiceCount[];
  matched: number;
  matched_spans: string[];
}

export interface TracePage {
  traces: TraceSummary[];
  next: string | null;
  notes?: Notes;
}

/** Columns of a trace in display order; indexes point into `services`, `names` and `outcomes`. */
export interface Skeleton {
  trace_id: string;
  t0: string;
  duration_ns: number;
  services: string[];
  names: string[];
  id: string[];
  parent: number[];
  depth: number[];
  start: number[];
  dur: number[];
  self: number[];
  svc: number[];
  name: number[];
  kind: number[];
  status: number[];
  outcome: number[];
  outcomes: string[];
  orphan: number[];
  roots: number[];
  critical_path: { row: number; start: number; end: number }[];
  /** Parents that orphans name and that are not stored. */
  missing: { id: string; children: number[] }[];
  /** Failed spans that no failed span below explains. */
  error_origins: { row: number; blame: Blame }[];
  last_arrival_ns: string;
  notes?: Notes;
}

/** Who failed where an error begins: the span's own work, what lies before a callee that ended well, or a peer that nobody saw. */
export type Blame = 'span' | 'edge' | 'peer';

export interface Statistic {
  /** Null: the spans without the attribute. */
  group: string | null;
  count: number;
  errors: number;
  total_ns: number;
  avg_ns: number;
  min_ns: number;
  max_ns: number;
  self_total_ns: number;
  self_avg_ns: number;
  self_min_ns: number;
  self_max_ns: number;
  /** Self time by total time, 0..1. */
  self_share: number;
}

export interface TraceStatistics {
  rows: Statistic[];
  notes?: Notes;
}

/** The far end of a link; `here` is the span of the asked trace. */
export interface LinkedSpan {
  trace_id: string;
  span_id: string;
  here: string;
  service?: string | null;
  name?: string | null;
  start_ns?: string | null;
}

export interface TraceLinks {
  forward: LinkedSpan[];
  backward: LinkedSpan[];
  from_ns: string;
  to_ns: string;
  notes?: Notes;
}

export interface Instance {
  service: string;
  instance: string;
}

/** What can be added to the callee's times: `low_ns` to `high_ns`; above each other where calls contradict. */
export interface ClockOffset {
  caller: Instance;
  callee: Instance;
  low_ns: number;
  high_ns: number;
  calls: number;
  offset_ns: number | null;
}

export interface TraceSkew {
  offsets: ClockOffset[];
  shifts: { span_id: string; shift_ns: number }[];
  notes?: Notes;
}

export interface Resource {
  attributes: Attribute[];
  schema_url?: string;
  dropped_attributes?: number;
}

export interface Scope {
  name: string;
  version: string;
  attributes: Attribute[];
  schema_url?: string;
  dropped_attributes?: number;
}

export interface SpanEvent {
  time_ns: string;
  name: string;
  attributes: Attribute[];
  dropped_attributes: number;
}

export interface SpanLink {
  trace_id: string;
  span_id: string;
  trace_state: string;
  attributes: Attribute[];
  dropped_attributes: number;
  flags: number;
}

export interface Span {
  span_id: string;
  parent_span_id: string | null;
  name: string;
  kind: string;
  service: string;
  start_ns: string;
  duration_ns: number;
  status: 'unset' | 'ok' | 'error';
  status_message: string;
  role: string;
  peer: string | null;
  protocol: string | null;
  operation: string;
  outcome: string;
  trace_state: string;
  flags: number;
  attributes: Attribute[];
  dropped_attributes: number;
  events: SpanEvent[];
  dropped_events: number;
  links: SpanLink[];
  dropped_links: number;
  resource: Resource;
  scope: Scope;
}

export interface SpanAnswer {
  spans: Span[];
}

export type Severity = 'unspecified' | 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal';

export interface LogRecord {
  id: string;
  time_ns: string;
  time_inferred: boolean;
  observed_time_ns: string;
  severity: string;
  severity_number: number;
  severity_text: string;
  service: string;
  body: Value;
  trace_id: string | null;
  span_id: string | null;
  flags: number;
  event_name: string;
  attributes: Attribute[];
  dropped_attributes: number;
  resource: Resource;
  scope: Scope;
}

export interface LogPage {
  logs: LogRecord[];
  next: string | null;
  notes?: Notes;
}

export interface Histogram {
  from_ns: string;
  step_ns: number | string;
  series: { severity: string; counts: number[] }[];
  total: number;
  notes?: Notes;
}

export interface LogContext {
  before: LogRecord[];
  log: LogRecord;
  after: LogRecord[];
}

export interface Service {
  id: string;
  span_count: number;
  calls: number;
  errors: number;
  rate: number;
  error_ratio: number;
  p50_ns: number;
  p95_ns: number;
  p99_ns: number;
  operations: number;
  instances: number;
  versions: string[];
  languages: string[];
  protocols: string[];
  layer?: Layer | null;
  layer_source?: 'inferred' | 'file' | null;
  environments?: string[];
  namespaces?: string[];
  instance_list?: InstanceSeen[];
  version_list?: VersionSeen[];
  /** Counts of outcomes other than ok. */
  outcomes?: Record<string, number>;
  logs?: { count: number; errors: number } | null;
  autonomy?: Autonomy | null;
  coverage?: { paired: number | null; orphans: number | null } | null;
  findings?: { critical: number; warning: number; info: number } | null;
}

export type Layer = 'gateway' | 'aggregate' | 'basic' | 'platform' | 'other';

export interface InstanceSeen {
  instance: string;
  version: string | null;
  first_ns: string;
  last_ns: string;
  spans: number;
}

export interface VersionSeen {
  version: string;
  first_ns: string;
  last_ns: string;
  /** Of the spans, 0..1. */
  share: number;
}

export interface Autonomy {
  own_db: string[];
  shared_db: { database: string; with: string[] }[];
  lockstep_with: string[];
  instances_at_once: number | null;
}

export interface ServiceList {
  services: Service[];
  notes?: Notes;
}

export interface OperationList {
  operations: { name: string; kind: string }[];
}

export type NodeKind = 'service' | 'database' | 'topic' | 'external' | 'user' | 'unknown';

export interface Quantiles {
  p50_ns: number;
  p95_ns: number;
  p99_ns: number;
}

export interface GraphNode {
  id: string;
  name: string;
  kind: NodeKind;
  calls: number;
  errors: number;
  layer?: Layer | null;
}

export interface GraphEdge {
  source: string;
  target: string;
  protocol: string | null;
  calls: number;
  errors: number;
  client: Quantiles | null;
  server: Quantiles | null;
  /** Counts of outcomes other than ok. */
  outcomes: Record<string, number>;
  exemplars: Exemplar[];
  operation?: string | null;
  mode?: 'sync' | 'async';
  identity?: 'paired' | 'inferred' | 'virtual';
  /** Async: from sending to reception. */
  lag?: Quantiles | null;
  /** Calls of which both sides are stored. */
  paired?: number | null;
}

export interface Exemplar {
  trace_id: string;
  span_id: string;
  time_ns?: string | null;
  duration_ns?: number | null;
  error?: boolean | null;
}

/** The whole minutes that were counted. */
export interface Minutes {
  from_ns: string;
  to_ns: string;
}

export interface Exactness {
  unpaired?: number | null;
  orphans?: number | null;
  as_of_ns?: string | null;
}

export interface Graph {
  nodes: GraphNode[];
  edges: GraphEdge[];
  window?: Minutes | null;
  exactness?: Exactness | null;
  notes?: Notes;
}

export interface TagList {
  tags: { scope: string; key: string }[];
}

export interface TagValues {
  values: string[];
  more: boolean;
}

export interface SqlAnswer {
  columns: { name: string; type: string }[];
  rows: unknown[][];
  row_count: number;
  truncated: boolean;
  elapsed_ms: number;
  notes?: Notes;
}

export interface TenantList {
  tenants: { id: string; default: boolean }[];
  current: string;
}

export interface Status {
  version: string;
  data_dir: string;
  spans: number;
  logs: number;
  metrics: number;
  segments: number;
  bytes: number;
  buffer_rows: number;
  wal_bytes: number;
  otlp_grpc: string;
  otlp_http: string;
}
