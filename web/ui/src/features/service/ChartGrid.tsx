// Six charts over one axis of time, or the same numbers as a table.

import { useQuery } from '@tanstack/react-query';
import { useMemo, useState, type ReactNode } from 'react';
import { useLocation } from 'wouter';
import { get } from '../../api/client';
import type { ServiceDetail } from '../../api/governance';
import type { TracePage } from '../../api/types';
import { useT } from '../../i18n';
import { assignHues, hueVar, outcomeVar } from '../../lib/color';
import { compact, count, duration, percent, queryDuration, rate } from '../../lib/format';
import { useRange, useSetTime } from '../../lib/range-context';
import { withTenant } from '../../lib/tenant';
import { clock, fromMs, toLink, toMs } from '../../lib/time';
import { outcomeName } from '../../parts/figures';
import { quote } from '../../query/terms';
import { rangeParams } from '../../query/use-suggestions';
import { tracePath } from '../../routes';
import { Button } from '../../ui/Button';
import table from '../../ui/table.module.css';
import { TimeSeries, type Dot, type Series } from '../../viz/TimeSeries';
import { charts, inWindow, markers, timedExemplars, type Charts } from './model';
import styles from './service.module.css';

interface ChartGridProps {
  detail: ServiceDetail;
  table: boolean;
  onTable: (table: boolean) => void;
}

export function ChartGrid({ detail, table: asTable, onTable }: ChartGridProps) {
  const t = useT();
  const model = useMemo(() => charts(detail), [detail]);
  return (
    <section className={styles['charts']} aria-label={t('nav.services')}>
      <Button
        className={styles['asTable'] ?? ''}
        weight="quiet"
        icon="table"
        pressed={asTable}
        aria-label={t(asTable ? 'service.chart' : 'service.table')}
        title={t(asTable ? 'service.chart' : 'service.table')}
        onClick={() => onTable(!asTable)}
      />
      {asTable ? <SeriesTable model={model} /> : <Grid detail={detail} model={model} />}
    </section>
  );
}

function Grid({ detail, model }: { detail: ServiceDetail; model: Charts }) {
  const t = useT();
  const [hover, setHover] = useState<number | null>(null);
  const [, navigate] = useLocation();
  const setTime = useSetTime();
  const dots = useDots(detail, model);
  const marks = useMemo(() => markers(detail.releases, model.from, model.step), [detail, model]);
  const hues = useMemo(() => assignHues(model.releases.map((release) => release.version)), [model]);
  const shared = {
    from: model.from,
    step: model.step,
    steps: model.steps,
    hover,
    onHover: setHover,
    onZoom: (from: number, to: number) => setTime(toLink(fromMs(from)), toLink(fromMs(to))),
    onOpen: navigate,
    markers: marks,
  };
  const latency: Series[] = [
    { name: 'p50', values: model.p50, color: 'var(--chart-low)' },
    { name: 'p95', values: model.p95, color: 'var(--chart-mid)' },
    { name: 'p99', values: model.p99, color: 'var(--chart-high)' },
  ];
  const outcomes: Series[] = model.outcomes.map((item) => ({
    name: outcomeName(item.name, t),
    values: item.values,
    color: outcomeVar(item.name),
  }));
  const releases: Series[] = model.releases.map((item) => ({
    name: item.version,
    values: item.values,
    color: hueVar(hues.get(item.version) ?? 0),
  }));
  const one = (name: string, values: Series['values'], color = 'var(--accent)'): Series[] => [{ name, values, color }];
  return (
    <div className={styles['grid']}>
      <Chart title={t('figure.rate')}>
        <TimeSeries {...shared} kind="lines" label={t('figure.rate')} series={one(t('figure.rate'), model.rate)} format={rate} />
      </Chart>
      <Chart title={t('service.errorShare')}>
        <TimeSeries
          {...shared}
          kind="lines"
          label={t('service.errorShare')}
          series={one(t('service.errorShare'), model.errorShare, 'var(--error)')}
          format={percent}
          least={0.02}
          dots={dots.failed}
        />
      </Chart>
      <Chart title={t('figure.latency')} legend={latency}>
        <TimeSeries {...shared} kind="lines" label={t('figure.latency')} series={latency} format={duration} dots={dots.slow} />
      </Chart>
      <Chart title={t('service.outcomesOverTime')} legend={outcomes}>
        <TimeSeries
          {...shared}
          kind="bars"
          label={t('service.outcomesOverTime')}
          series={outcomes}
          format={compact}
          whole
          empty={t('service.allOk')}
        />
      </Chart>
      <Chart title={t('service.releaseShare')} legend={releases}>
        <TimeSeries {...shared} kind="bars" label={t('service.releaseShare')} series={releases} format={compact} whole />
      </Chart>
      <Chart title={`${t('service.instances')} ${t('service.instances.at')}`}>
        <TimeSeries
          {...shared}
          kind="bars"
          label={t('service.instances')}
          series={one(t('service.instances'), model.instances, 'var(--control)')}
          format={count}
          whole
          least={2}
        />
      </Chart>
    </div>
  );
}

function Chart({ title, legend = [], children }: { title: string; legend?: readonly Series[]; children: ReactNode }) {
  return (
    <figure className={styles['chart']}>
      <figcaption>
        <span>{title}</span>
        {legend.length > 0 && (
          <ul>
            {legend.slice(0, 6).map((item) => (
              <li key={item.name}>
                <i style={{ background: item.color }} />
                {item.name}
              </li>
            ))}
            {legend.length > 6 && <li>+{legend.length - 6}</li>}
          </ul>
        )}
      </figcaption>
      <div className={styles['plot']}>{children}</div>
    </figure>
  );
}

/** Dots that open traces: those that the counts keep as examples, else what a search for failed and slow spans finds. */
function useDots(detail: ServiceDetail, model: Charts): { failed: Dot[]; slow: Dot[] } {
  const t = useT();
  const { range } = useRange();
  const timed = useMemo(() => timedExemplars(detail.operations), [detail]);
  const { service } = detail;
  const search = (kind: string, q: string, enabled: boolean) => ({
    queryKey: ['dots', kind, q, rangeParams(range)],
    queryFn: ({ signal }: { signal: AbortSignal }) => get<TracePage>('/traces', { q, ...rangeParams(range), limit: 30 }, signal),
    enabled: enabled && timed.length === 0,
  });
  const failed = useQuery(search('failed', `service:${quote(service.id)} error`, service.errors > 0));
  const slow = useQuery(
    search('slow', `service:${quote(service.id)} duration>=${queryDuration(service.p95_ns)}`, service.calls > 0 && service.p95_ns > 0),
  );
  return useMemo(() => {
    const to = model.from + model.step * model.steps;
    if (timed.length > 0) {
      const all = timed.map((exemplar) => ({
        at: toMs(exemplar.time_ns ?? '0'),
        value: exemplar.duration_ns ?? null,
        error: exemplar.error ?? false,
        href: withTenant(tracePath(exemplar.trace_id, exemplar.span_id)),
        title: `${clock(exemplar.time_ns ?? '0')} ${exemplar.operation}${exemplar.duration_ns ? ` ${duration(exemplar.duration_ns)}` : ''}`,
      }));
      return {
        failed: inWindow(
          all.filter((dot) => dot.error).map((dot) => ({ ...dot, value: null })),
          model.from,
          to,
        ),
        slow: inWindow(all, model.from, to),
      };
    }
    const found = (page: TracePage | undefined, error: boolean): Dot[] =>
      inWindow(
        (page?.traces ?? []).map((trace) => ({
          at: toMs(trace.start_ns),
          value: null,
          error,
          href: withTenant(tracePath(trace.trace_id, trace.matched_spans[0])),
          title: `${clock(trace.start_ns)} ${trace.root_name} ${t('trace.duration')} ${duration(trace.duration_ns)}`,
        })),
        model.from,
        to,
      );
    return { failed: found(failed.data, true), slow: found(slow.data, false) };
  }, [timed, failed.data, slow.data, model, t]);
}

function SeriesTable({ model }: { model: Charts }) {
  const t = useT();
  const cell = (value: number | null | undefined): string => (value === null || value === undefined ? '–' : duration(value));
  return (
    <div className={styles['seriesTable']} role="region" aria-label={t('service.table')} tabIndex={0}>
      <table className={table['table']}>
        <thead>
          <tr>
            <th scope="col">{t('service.time')}</th>
            {[
              t('figure.calls'),
              t('figure.rate'),
              t('figure.errors'),
              t('service.errorShare'),
              'p50',
              'p95',
              'p99',
              t('service.instances'),
            ].map((name) => (
              <th key={name} scope="col" data-number>
                {name}
              </th>
            ))}
            {model.outcomes.map((item) => (
              <th key={item.name} scope="col" data-number>
                {outcomeName(item.name, t)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {model.calls.map((calls, at) => (
            <tr key={at}>
              <td>{clock(fromMs(model.from + at * model.step)).slice(0, 8)}</td>
              <td data-number>{count(calls)}</td>
              <td data-number>{rate(model.rate[at] ?? 0)}</td>
              <td data-number>{count(model.errors[at] ?? 0)}</td>
              <td data-number>{percent(model.errorShare[at] ?? 0)}</td>
              <td data-number>{cell(model.p50[at])}</td>
              <td data-number>{cell(model.p95[at])}</td>
              <td data-number>{cell(model.p99[at])}</td>
              <td data-number>{model.instances[at] ?? '–'}</td>
              {model.outcomes.map((item) => (
                <td key={item.name} data-number>
                  {count(item.values[at] ?? 0)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
