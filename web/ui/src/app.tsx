// Providers and routes. Pages are loaded when they are first visited.

import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { lazy, Suspense } from 'react';
import { Redirect, Route, Router, Switch, useSearch, type AroundNavHandler } from 'wouter';
import { ApiError } from './api/client';
import { I18nProvider, useT } from './i18n';
import { RangeProvider } from './lib/range-context';
import { withTenant } from './lib/tenant';
import { paths, serviceOf, tracePath } from './routes';
import { Boundary } from './shell/Boundary';
import { Shell } from './shell/Shell';
import { Bar } from './shell/Bar';
import { Loading, Message } from './parts/states';
import { TracesPage } from './features/traces/TracesPage';

const TracePage = lazy(() => import('./features/trace/TracePage').then((module) => ({ default: module.TracePage })));
const LogsPage = lazy(() => import('./features/logs/LogsPage').then((module) => ({ default: module.LogsPage })));
const MapPage = lazy(() => import('./features/map/MapPage').then((module) => ({ default: module.MapPage })));
const ServicesPage = lazy(() => import('./features/services/ServicesPage').then((module) => ({ default: module.ServicesPage })));
const ServicePage = lazy(() => import('./features/service/ServicePage').then((module) => ({ default: module.ServicePage })));
const GovernancePage = lazy(() => import('./features/governance/GovernancePage').then((module) => ({ default: module.GovernancePage })));
const SqlPage = lazy(() => import('./features/sql/SqlPage').then((module) => ({ default: module.SqlPage })));

const client = new QueryClient({
  defaultOptions: {
    queries: {
      // Answers are keyed by absolute ranges, so they do not age; refreshing changes the key.
      staleTime: Infinity,
      gcTime: 5 * 60_000,
      refetchOnWindowFocus: false,
      retry: (failures, error) => failures < 1 && (!(error instanceof ApiError) || error.status === 0 || error.status >= 500),
      retryDelay: 400,
    },
  },
});

const navigateWithin: AroundNavHandler = (navigate, to, options) => navigate(withTenant(to), options);

export function App() {
  return (
    <QueryClientProvider client={client}>
      <I18nProvider>
        <Router hrefs={(href) => withTenant(href)} aroundNav={navigateWithin}>
          <RangeProvider>
            <Shell>
              <Boundary>
                <Suspense fallback={<Loading />}>
                  <Switch>
                    <Route path={paths.traces} component={TracesPage} />
                    <Route path={paths.trace}>{({ id }) => <TracePage key={id} id={id} />}</Route>
                    <Route path={paths.jaegerTrace}>{({ id }) => <Redirect to={tracePath(id)} replace />}</Route>
                    <Route path={paths.logs} component={LogsPage} />
                    <Route path={paths.map} component={MapPage} />
                    <Route path={paths.services} component={ServicesPage} />
                    <Route path={paths.service}>
                      {({ id }) => <ServicePage key={id} id={serviceOf(window.location.pathname) ?? id} />}
                    </Route>
                    <Route path={paths.governance} component={GovernancePage} />
                    <Route path={paths.sql} component={SqlPage} />
                    <Route path="/" component={Home} />
                    <Route component={Missing} />
                  </Switch>
                </Suspense>
              </Boundary>
            </Shell>
          </RangeProvider>
        </Router>
      </I18nProvider>
    </QueryClientProvider>
  );
}

function Home() {
  const search = useSearch();
  return <Redirect to={`${paths.traces}${search === '' ? '' : `?${search}`}`} replace />;
}

function Missing() {
  const t = useT();
  return (
    <>
      <Bar title="Clew" />
      <Message title={t('page.missing')} />
    </>
  );
}
