// Two releases side by side: a verdict with its reasons, then each operation.

import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { get } from '../../api/client';
import type { Comparison, ReleaseFigures, Verdict } from '../../api/governance';
import { useT } from '../../i18n';
import { compact, count, duration, percent } from '../../lib/format';
import { nodeName } from '../../parts/nodes';
import { ErrorState, Loading, NotesView } from '../../parts/states';
import { Dialog } from '../../ui/Dialog';
import { Icon, type IconName } from '../../ui/Icon';
import { Select } from '../../ui/Select';
import table from '../../ui/table.module.css';
import { change, signedPercent } from './model';
import styles from './compare.module.css';

interface CompareProps {
  id: string;
  versions: readonly string[];
  base: string;
  head: string;
  params: Record<string, string>;
  onChoose: (base: string, head: string) => void;
  onClose: () => void;
}

export function Compare({ id, versions, base, head, params, onChoose, onClose }: CompareProps) {
  const t = useT();
  const asked = { ...params, base, head };
  const enough = versions.length > 1;
  const answer = useQuery({
    queryKey: ['compare', id, asked],
    queryFn: ({ signal }) => get<Comparison>(`/services/${encodeURIComponent(id)}/releases/compare`, asked, signal),
    enabled: enough,
  });
  const found = answer.data;
  const [from, to] = [base || found?.base.version || '', head || found?.head.version || ''];
  const choose = (label: string, value: string, onChange: (version: string) => void) => (
    <Select label={label} value={value} set={false} onChange={onChange}>
      {[...new Set([...versions, ...(value ? [value] : [])])].map((version) => (
        <option key={version} value={version}>
          {version}
        </option>
      ))}
    </Select>
  );
  return (
    <Dialog title={t('service.compare.title', { name: id })} closeLabel={t('span.close')} wide onClose={onClose}>
      {!enough && <p>{t('service.compare.one')}</p>}
      {enough && (
        <div className={styles['choose']}>
          {choose(t('service.compare.base'), from, (version) => onChoose(version, to))}
          <span aria-hidden="true">→</span>
          {choose(t('service.compare.head'), to, (version) => onChoose(from, version))}
          {found && <span className={styles['soft']}>{t(`service.mode.${found.mode}`)}</span>}
        </div>
      )}
      {enough && answer.isPending && <Loading />}
      {answer.isError && <ErrorState error={answer.error} onRetry={() => void answer.refetch()} />}
      {found && <Result found={found} />}
    </Dialog>
  );
}

function Result({ found }: { found: Comparison }) {
  const t = useT();
  return (
    <div className={styles['result']}>
      <NotesView notes={[found.notes]} />
      <div className={styles['verdict']} data-verdict={found.verdict}>
        <VerdictMark verdict={found.verdict} />
        {found.reasons.length > 0 && (
          <ul>
            {found.reasons.map((reason) => (
              <li key={reason}>{reason}</li>
            ))}
          </ul>
        )}
      </div>
      <div className={styles['scroll']} role="region" aria-label={t('service.operations')} tabIndex={0}>
        <table className={table['table']}>
          <thead>
            <tr>
              <th scope="col" rowSpan={2}>
                {t('service.operation')}
              </th>
              <th scope="colgroup" colSpan={2} data-number>
                {t('figure.calls')}
              </th>
              <th scope="colgroup" colSpan={2} data-number>
                {t('service.errorShare')}
              </th>
              <th scope="colgroup" colSpan={3} data-number>
                p95
              </th>
              <th scope="col" rowSpan={2} />
            </tr>
            <tr className={styles['second']}>
              {[found.base.version, found.head.version, found.base.version, found.head.version, found.base.version, found.head.version].map(
                (version, index) => (
                  <th key={index} scope="col" data-number>
                    {version}
                  </th>
                ),
              )}
              <th scope="col" data-number>
                ±
              </th>
            </tr>
          </thead>
          <tbody>
            <Row name={<b>Σ</b>} base={found.base} head={found.head} verdict={found.verdict} />
            {found.operations.map((operation) => (
              <Row key={operation.name} name={operation.name} base={operation.base} head={operation.head} verdict={operation.verdict} />
            ))}
          </tbody>
        </table>
      </div>
      <div className={styles['news']}>
        <News title={t('service.newExceptions')} items={found.new_exceptions.map((item) => [item.type, count(item.count)])} />
        <News title={t('service.newPatterns')} items={found.new_log_patterns.map((item) => [item.pattern, count(item.count)])} />
        <News title={t('service.edgesAdded')} items={found.edges_added.map((item) => [nodeName(item.target), item.protocol ?? ''])} />
        <News title={t('service.edgesRemoved')} items={found.edges_removed.map((item) => [nodeName(item.target), item.protocol ?? ''])} />
      </div>
    </div>
  );
}

function Row({
  name,
  base,
  head,
  verdict,
}: {
  name: ReactNode;
  base: ReleaseFigures | null;
  head: ReleaseFigures | null;
  verdict: Verdict;
}) {
  const share = (side: ReleaseFigures | null): string =>
    side === null || side.calls === 0 ? '–' : percent(side.error_ratio ?? side.errors / side.calls);
  const p95 = change(base?.latency?.p95_ns, head?.latency?.p95_ns);
  return (
    <tr>
      <td data-wide title={typeof name === 'string' ? name : undefined}>
        {name}
      </td>
      <td data-number>{base ? compact(base.calls) : '–'}</td>
      <td data-number>{head ? compact(head.calls) : '–'}</td>
      <td data-number>{share(base)}</td>
      <td data-number>{share(head)}</td>
      <td data-number>{base?.latency ? duration(base.latency.p95_ns) : '–'}</td>
      <td data-number>{head?.latency ? duration(head.latency.p95_ns) : '–'}</td>
      <td data-number data-soft>
        {p95 === null ? '–' : signedPercent(p95)}
      </td>
      <td>
        <VerdictMark verdict={verdict} />
      </td>
    </tr>
  );
}

const ICONS: Record<Verdict, IconName> = { worse: 'error', better: 'check', same: 'minus', unknown: 'help' };

function VerdictMark({ verdict }: { verdict: Verdict }) {
  const t = useT();
  return (
    <span className={styles['mark']} data-verdict={verdict}>
      <Icon name={ICONS[verdict] ?? 'help'} size={14} />
      {t(`verdict.${verdict}`)}
    </span>
  );
}

function News({ title, items }: { title: string; items: readonly (readonly [string, string])[] }) {
  const t = useT();
  return (
    <section>
      <h3>{title}</h3>
      {items.length === 0 ? (
        <p className={styles['soft']}>{t('service.none')}</p>
      ) : (
        <ul>
          {items.map(([name, detail]) => (
            <li key={name} title={name}>
              <code>{name}</code>
              <span className={styles['soft']}>{detail}</span>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
