// Findings about the seeded shop, with decisions that last as long as the mock server.

import type { Bilingual, Finding, FindingList } from '../src/api/governance';
import type { Shop } from './shop.ts';

const both = (en: string, zh: string): Bilingual => ({ en, zh });

export const NOTHING: FindingList = { findings: [], not_evaluated: [], evaluated_ns: null, window_ns: null, notes: {} };

type Draft = Pick<Finding, 'rule' | 'name' | 'severity' | 'confidence' | 'principle' | 'subject' | 'claim' | 'measured' | 'threshold'> &
  Partial<Finding> & { find: (service: string, outcome: string, name: string) => boolean; why: Bilingual };

const about = (kind: string, id: string, ...services: string[]): Finding['subject'] => ({ kind, id, services });

const DRAFTS: Draft[] = [
  {
    rule: 'F7',
    name: 'breaker_open',
    severity: 'critical',
    confidence: 0.97,
    principle: 'fault_tolerance',
    subject: about('edge', 'order → payment', 'order', 'payment'),
    claim: both(
      'The breaker from order to payment is open: 84 calls were refused in 4 minutes.',
      'order 到 payment 的熔断器已打开：4 分钟内拒绝了 84 次调用。',
    ),
    measured: { per_minute: 21, limited: 84, share: 0.31 },
    threshold: { per_minute: 5 },
    find: (service, outcome) => service === 'payment' && outcome !== 'ok',
    why: both('The call is refused before it leaves order.', '调用在离开 order 之前就被拒绝。'),
  },
  {
    rule: 'F12',
    name: 'bad_release',
    severity: 'critical',
    confidence: 0.93,
    principle: 'independent_release',
    subject: about('release', 'order@2.5.0', 'order'),
    claim: both(
      'order 2.5.0 fails in 4.5 % of its calls; 2.4.0, beside it, in 0.5 %.',
      'order 2.5.0 有 4.5% 的调用失败；同时运行的 2.4.0 仅为 0.5%。',
    ),
    measured: { error_ratio: 0.045, p95_ns: 247e6 },
    threshold: { error_ratio: 0.015 },
    baseline: { error_ratio: 0.005, p95_ns: 182e6 },
    find: (service, outcome) => service === 'order' && outcome === 'error',
    why: both('Fails with IllegalStateException, which 2.4.0 never threw.', '抛出 2.4.0 从未出现的 IllegalStateException。'),
  },
  {
    rule: 'F2',
    name: 'shared_database',
    severity: 'critical',
    confidence: 0.99,
    principle: 'own_database',
    subject: about('database', 'mysql/stock', 'inventory', 'order'),
    claim: both('inventory and order both write to mysql/stock.', 'inventory 与 order 都在写 mysql/stock。'),
    measured: { services: 2, writers: 2 },
    threshold: { services: 2 },
    find: (service, _, name) => service === 'inventory' && name.includes('stock'),
    why: both('inventory writes to the table stock.', 'inventory 写入表 stock。'),
  },
  {
    rule: 'F3',
    name: 'chatty_calls',
    severity: 'warning',
    confidence: 0.88,
    principle: 'communication',
    subject: about('operation', 'catalogue/shop.Catalogue/List', 'catalogue'),
    claim: both(
      'shop.Catalogue/List asks postgresql/catalogue 50 times one after the other.',
      'shop.Catalogue/List 依次查询 postgresql/catalogue 50 次。',
    ),
    measured: { most_calls: 50, total_ns: 310e6, share: 0.42 },
    threshold: { most_calls: 10, traces: 0.1 },
    find: (service) => service === 'catalogue',
    why: both('50 × SELECT catalogue, 310 ms in sum.', '50 次 SELECT catalogue，合计 310 毫秒。'),
  },
  {
    rule: 'F6',
    name: 'timeouts',
    severity: 'warning',
    confidence: 0.9,
    principle: 'fault_tolerance',
    subject: about('edge', 'abandoned payment → api.bank.example POST /v2/charges', 'payment'),
    claim: both(
      'payment gives up on api.bank.example in 5.1 % of its calls, after 3 s.',
      'payment 对 api.bank.example 的调用有 5.1% 在 3 秒后放弃。',
    ),
    measured: { share: 0.051, longer_ms: 410 },
    threshold: { share: 0.01 },
    find: (_, outcome) => outcome === 'timeout',
    why: both('Ends after 3 s with deadline exceeded.', '3 秒后以 deadline exceeded 结束。'),
  },
  {
    rule: 'F9',
    name: 'limited',
    severity: 'warning',
    confidence: 0.86,
    principle: 'fault_tolerance',
    subject: about('edge', 'gateway → order', 'gateway', 'order'),
    claim: both('order limits the gateway: 2.6 % of its calls are refused.', 'order 对 gateway 限流：2.6% 的调用被拒绝。'),
    measured: { share: 0.026, limited: 19 },
    threshold: { share: 0.02 },
    find: (_, outcome) => outcome === 'limited',
    why: both('Refused by the limiter of order.', '被 order 的限流器拒绝。'),
  },
  {
    rule: 'F16',
    name: 'blind_spot',
    severity: 'warning',
    confidence: 0.7,
    principle: 'observability',
    state: 'accepted',
    subject: about('service', 'recommend', 'recommend'),
    claim: both('38 % of the calls to recommend have no server side.', '对 recommend 的调用有 38% 缺少服务端一侧。'),
    measured: { unpaired: 0.38 },
    threshold: { unpaired: 0.2 },
    accepted_by: 'Lin',
    accepted_note: 'Sampled at 60 % until the migration is over.',
    find: (service) => service === 'recommend',
    why: both('The call has no span in recommend.', '调用在 recommend 中没有对应的 span。'),
  },
  {
    rule: 'F11',
    name: 'single_instance',
    severity: 'info',
    confidence: 0.95,
    principle: 'independent_operation',
    subject: about('service', 'auth', 'auth'),
    claim: both('auth runs as one instance and 3 services depend on it.', 'auth 只有一个实例，却有 3 个服务依赖它。'),
    measured: { instances_at_once: 1, fan_in: 3 },
    threshold: { fan_in: 2 },
    find: () => false,
    why: both('', ''),
  },
  {
    rule: 'F10',
    name: 'gateway_bypass',
    severity: 'info',
    confidence: 0.61,
    principle: 'layering',
    state: 'resolved',
    subject: about('service', 'catalogue', 'catalogue'),
    claim: both('8 % of the calls to catalogue came around the gateway.', 'catalogue 有 8% 的调用绕过了网关。'),
    measured: { share: 0.08 },
    threshold: { share: 0.05 },
    find: (service) => service === 'catalogue',
    why: both('Begins in catalogue with a user agent of a browser.', '入口直接在 catalogue，且带有浏览器的 user agent。'),
  },
];

let made: { shop: Shop; findings: Finding[] } | null = null;

export function findings(shop: Shop): Finding[] {
  if (made?.shop !== shop) made = { shop, findings: DRAFTS.map((draft, index) => toFinding(draft, index, shop)) };
  return made.findings;
}

const now = (): bigint => BigInt(Date.now()) * 1_000_000n;
const MINUTE = 60_000_000_000n;

function toFinding({ find, why, ...draft }: Draft, index: number, shop: Shop): Finding {
  const evidence: Finding['evidence'] = [];
  for (const trace of shop.traces) {
    const span = trace.spans.length < 1000 ? trace.spans.find((item) => find(item.service, item.outcome, item.name)) : undefined;
    if (span && evidence.length < 3) evidence.push({ trace_id: trace.id, span_ids: [span.span_id], why });
  }
  const last = now() - BigInt(index + 1) * MINUTE;
  return {
    id: `${draft.rule.toLowerCase()}-${(index * 7919 + 4096).toString(16)}`,
    state: 'open',
    rule_version: 1,
    window: { from_ns: String(last - 10n * MINUTE), to_ns: String(last) },
    n: 1200 + index * 377,
    baseline: null,
    first_seen_ns: String(last - BigInt(12 + index * 95) * MINUTE),
    last_seen_ns: String(last),
    resolved_ns: draft.state === 'resolved' ? String(now() - 9n * MINUTE) : null,
    accepted_by: null,
    accepted_note: null,
    ...draft,
    threshold: Object.fromEntries(Object.entries(draft.threshold).map(([name, value]) => [`${draft.rule}.${name}`, value])),
    evidence,
  };
}

export function findingList(all: Finding[], query: URLSearchParams): FindingList {
  const state = query.get('state') ?? 'open';
  const keep = (name: string, of: (finding: Finding) => string[]): ((finding: Finding) => boolean) => {
    const wanted = query.get(name);
    return (finding) => wanted === null || wanted === '' || of(finding).includes(wanted);
  };
  return {
    findings: all
      .filter((finding) => state === 'all' || finding.state === state)
      .filter(keep('rule', (finding) => [finding.rule]))
      .filter(keep('service', (finding) => finding.subject.services))
      .filter(keep('severity', (finding) => [finding.severity])),
    not_evaluated: [
      {
        rule: 'F12',
        subject: 'cart',
        reason: both('2.5.0 has 88 calls; 200 are needed to compare.', '2.5.0 只有 88 次调用；至少需要 200 次才能比较。'),
      },
      { rule: 'F12', subject: 'payment', reason: both('Only one version was seen.', '只见到一个版本。') },
      {
        rule: 'F18',
        subject: null,
        reason: both('Less than one hour is stored: a silence cannot be told from a gap.', '存储的数据不足一小时：无法区分静默与间隔。'),
      },
      {
        rule: 'F10',
        subject: 'recommend',
        reason: both('Of its calls 62 % are paired; 80 % are needed.', '其调用的配对率为 62%；至少需要 80%。'),
      },
      { rule: 'F8', subject: 'batch', reason: both('7 calls; 20 are needed.', '仅 7 次调用；至少需要 20 次。') },
    ],
    evaluated_ns: String(now() - 40n * 1_000_000_000n),
    window_ns: 600e9,
    notes: {},
  };
}

export function decide(finding: Finding, action: 'accept' | 'reopen', body: string): void {
  const said = body === '' ? {} : (JSON.parse(body) as { by?: string; note?: string });
  finding.state = action === 'accept' ? 'accepted' : 'open';
  finding.accepted_by = action === 'accept' ? (said.by ?? '') : null;
  finding.accepted_note = action === 'accept' ? (said.note ?? '') : null;
}

export function withHistory(finding: Finding): Finding {
  const first = BigInt(finding.first_seen_ns);
  return {
    ...finding,
    history: [
      { at_ns: String(first), state: 'open', measured: finding.measured },
      { at_ns: String(first + 30n * MINUTE), state: 'resolved', measured: null },
      { at_ns: String(first + 55n * MINUTE), state: finding.state, measured: finding.measured },
    ],
  };
}
