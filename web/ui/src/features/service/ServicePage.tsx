// One service: its figures over time, whom it calls and who calls it, its instances, releases, failures and findings.

import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { Link } from 'wouter';
import { ApiError, get } from '../../api/client';
import type { ServiceDetail } from '../../api/governance';
import { useT } from '../../i18n';
import { pageLink } from '../../lib/links';
import { useRange } from '../../lib/range-context';
import { useUrlState } from '../../lib/use-url-state';
import { EnvSelect } from '../../parts/EnvSelect';
import { ExactnessLine, LayerBadge } from '../../parts/figures';
import { ServiceTag } from '../../parts/ServiceTag';
import { ErrorState, Loading, Message, NotesView } from '../../parts/states';
import { useFindings } from '../../parts/use-findings';
import { quote } from '../../query/terms';
import { rangeParams } from '../../query/use-suggestions';
import { paths } from '../../routes';
import { Bar } from '../../shell/Bar';
import { Icon } from '../../ui/Icon';
import { Autonomy } from './Autonomy';
import { ChartGrid } from './ChartGrid';
import { Compare } from './Compare';
import { Exceptions, LogPatterns } from './Failures';
import { FoundHere } from './FoundHere';
import { Header } from './Header';
import { Instances } from './Instances';
import { complete, stepMinutes } from './model';
import { Neighbours } from './Neighbours';
import { Operations } from './Operations';
import { Releases } from './Releases';
import { serviceCodec } from './state';
import styles from './service.module.css';

export function ServicePage({ id }: { id: string }) {
  const t = useT();
  const [state, patch] = useUrlState(serviceCodec);
  const { range, time } = useRange();
  const params = { ...rangeParams(range), ...(state.env ? { env: state.env } : {}) };
  const asked = { ...params, step: `${stepMinutes(range) * 60}s` };
  const answer = useQuery({
    queryKey: ['service', id, asked],
    queryFn: ({ signal }) => get<ServiceDetail>(`/services/${encodeURIComponent(id)}`, asked, signal),
    select: complete,
    placeholderData: keepPreviousData,
  });
  const findings = useFindings({ state: 'open', service: id, ...(state.env ? { env: state.env } : {}) });
  const detail = answer.data;
  const missing = answer.error instanceof ApiError && answer.error.status === 404;
  const env = state.env;
  const q = `service:${quote(id)}`;
  const heading = useMemo(
    () => (
      <span className={styles['path']}>
        <Link href={pageLink(paths.services, time, { env })}>{t('services.title')}</Link>
        <span aria-hidden="true">/</span>
        <ServiceTag name={id} />
      </span>
    ),
    [id, time, env, t],
  );
  return (
    <>
      <Bar title={id} heading={heading} withTime busy={answer.isFetching}>
        {detail && <LayerBadge layer={detail.service.layer} source={detail.service.layer_source} />}
        <ExactnessLine window={detail?.window} />
        <nav className={styles['onward']} aria-label={id}>
          <Link href={pageLink(paths.traces, time, { q })}>
            <Icon name="traces" size={14} /> {t('map.openTraces')}
          </Link>
          <Link href={pageLink(paths.logs, time, { q })}>
            <Icon name="logs" size={14} /> {t('map.openLogs')}
          </Link>
          <Link href={pageLink(paths.map, time, { env, focus: id, sel: id })}>
            <Icon name="map" size={14} /> {t('nav.map')}
          </Link>
        </nav>
        <EnvSelect value={env} onChange={(next) => patch({ env: next })} />
      </Bar>
      <NotesView notes={[detail?.notes]} />
      {answer.isPending && <Loading />}
      {missing && (
        <Message title={t('service.missing')}>
          <p>{t('service.missing.hint')}</p>
        </Message>
      )}
      {answer.isError && !missing && !detail && <ErrorState error={answer.error} onRetry={() => void answer.refetch()} />}
      {detail && !missing && (
        <div className={styles['page']}>
          <Header detail={detail} />
          <ChartGrid detail={detail} table={state.table} onTable={(table) => patch({ table }, { replace: true })} />
          <div className={styles['columns']}>
            <div>
              <Operations detail={detail} sort={state.sort} onSort={(sort) => patch({ sort }, { replace: true })} />
              <Neighbours detail={detail} env={env} />
              <Instances detail={detail} />
              <Exceptions detail={detail} />
              <LogPatterns detail={detail} />
            </div>
            <div>
              <FoundHere answer={findings.data} env={env} service={id} />
              <Releases detail={detail} onCompare={(base, head) => patch({ compare: true, base, head })} />
              <Autonomy detail={detail} env={env} />
            </div>
          </div>
        </div>
      )}
      {state.compare && detail && (
        <Compare
          id={id}
          versions={detail.releases.map((release) => release.version)}
          base={state.base}
          head={state.head}
          params={params}
          onChoose={(base, head) => patch({ base, head }, { replace: true })}
          onClose={() => patch({ compare: false, base: '', head: '' })}
        />
      )}
    </>
  );
}
