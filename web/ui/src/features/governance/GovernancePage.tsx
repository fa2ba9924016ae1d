// What was found about the services, what could not be judged, and by which rules.

import { useMemo } from 'react';
import type { Finding, FindingList } from '../../api/governance';
import { useT } from '../../i18n';
import { duration } from '../../lib/format';
import { useKeys } from '../../lib/keys';
import { clock } from '../../lib/time';
import { useUrlState } from '../../lib/use-url-state';
import { EnvSelect } from '../../parts/EnvSelect';
import { ErrorState, Loading, NotesView } from '../../parts/states';
import { useFindings, useRules } from '../../parts/use-findings';
import { Bar } from '../../shell/Bar';
import { Button } from '../../ui/Button';
import { Blind } from './Blind';
import { Concepts } from './Concepts';
import { Detail } from './Detail';
import { Empty } from './Empty';
import { Filters } from './Filters';
import { List } from './List';
import { bySeverity, conceptCells, neighbourOf, wanted } from './model';
import { Rules } from './Rules';
import { governanceCodec, type GovernanceState } from './state';
import styles from './governance.module.css';

export function GovernancePage() {
  const t = useT();
  const [state, patch] = useUrlState(governanceCodec);
  const answer = useFindings({ state: state.state, ...(state.env ? { env: state.env } : {}) });
  // The concepts are judged by what is open, whichever state the list shows.
  const open = useFindings({ state: 'open', ...(state.env ? { env: state.env } : {}) }).data;
  const rules = useRules();
  const list = answer.data;
  const known = rules.data?.rules;
  const cells = useMemo(() => (open ? conceptCells(open, known ?? []) : []), [open, known]);
  const groups = useMemo(() => bySeverity((list?.findings ?? []).filter((finding) => wanted(finding, state))), [list, state]);
  const shown = useMemo(() => groups.flatMap(([, findings]) => findings), [groups]);
  const select = (sel: string): void => patch({ sel }, { replace: true });
  useKeys({
    j: () => select(neighbourOf(shown, state.sel, 1)),
    k: () => select(neighbourOf(shown, state.sel, -1)),
    Escape: () => select(''),
  });
  return (
    <>
      <Bar title={t('gov.title')} withTime busy={answer.isFetching}>
        {list && <Evaluated list={list} />}
        <span className={styles['spacer']} />
        <EnvSelect value={state.env} onChange={(env) => patch({ env })} />
      </Bar>
      <NotesView notes={[list?.notes]} />
      {answer.isPending && <Loading />}
      {answer.isError && !list && <ErrorState error={answer.error} onRetry={() => void answer.refetch()} />}
      {list && (
        <>
          <Concepts cells={cells} chosen={state.concept} onChoose={(concept) => patch({ concept, tab: 'findings', sel: '' })} />
          <Tabs state={state} list={list} onTab={(tab) => patch({ tab })} />
          {state.tab === 'findings' && (
            <div className={styles['body']}>
              <div className={styles['main']}>
                <Filters state={state} findings={list.findings} rules={known ?? []} onChange={(change) => patch({ ...change, sel: '' })} />
                {shown.length > 0 ? (
                  <List groups={groups} rules={known ?? []} selected={state.sel} onSelect={select} />
                ) : (
                  <Empty
                    state={state}
                    list={list}
                    rules={known ?? []}
                    onBlind={() => patch({ tab: 'blind' })}
                    onClear={() => patch(CLEAR)}
                  />
                )}
              </div>
              {state.sel !== '' && (
                <Detail
                  key={state.sel}
                  id={state.sel}
                  listed={find(list, state.sel)}
                  rules={known ?? []}
                  env={state.env}
                  onClose={() => select('')}
                />
              )}
            </div>
          )}
          {state.tab === 'blind' && <Blind items={list.not_evaluated ?? []} evaluated={list.evaluated_ns ?? null} rules={known ?? []} />}
          {state.tab === 'rules' && (
            <Rules answer={rules} findings={list.findings} onRule={(rule) => patch({ ...CLEAR, rule, tab: 'findings' })} />
          )}
        </>
      )}
    </>
  );
}

const CLEAR: Partial<GovernanceState> = { severity: '', rule: '', service: '', concept: '', sel: '' };

function find(list: FindingList, id: string): Finding | undefined {
  return list.findings.find((finding) => finding.id === id);
}

function Evaluated({ list }: { list: FindingList }) {
  const t = useT();
  if (!list.evaluated_ns) return <span role="status">{t('gov.cell.never')}</span>;
  return (
    <span role="status">
      {t('findings.count', { n: list.findings.length })} · {t('gov.evaluated', { time: clock(list.evaluated_ns).slice(0, 8) })}
      {list.window_ns ? ` · ${t('gov.window', { window: duration(list.window_ns) })}` : ''}
    </span>
  );
}

function Tabs({ state, list, onTab }: { state: GovernanceState; list: FindingList; onTab: (tab: GovernanceState['tab']) => void }) {
  const t = useT();
  const blind = list.not_evaluated?.length ?? 0;
  const tab = (name: GovernanceState['tab'], text: string) => (
    <Button
      weight="quiet"
      className={styles['tab'] ?? ''}
      aria-current={state.tab === name ? 'page' : undefined}
      onClick={() => onTab(name)}
    >
      {text}
    </Button>
  );
  return (
    <nav className={styles['tabs']} aria-label={t('gov.title')}>
      {tab('findings', `${t('gov.tab.findings')} ${list.findings.length}`)}
      {tab('blind', `${t('gov.tab.blind')} ${blind}`)}
      {tab('rules', t('gov.tab.rules'))}
    </nav>
  );
}
