// An empty store: where to send data.

import { useQuery } from '@tanstack/react-query';
import { get } from '../api/client';
import type { Status } from '../api/types';
import { useT } from '../i18n';
import { tenant } from '../lib/tenant';
import { Copy } from '../ui/Copy';
import styles from './parts.module.css';

interface EmptyProps {
  title: string;
  filtered: boolean;
  watching: boolean;
  onClear: () => void;
}

export function Empty({ title, filtered, watching, onClear }: EmptyProps) {
  const t = useT();
  return (
    <div className={styles['empty']}>
      <h2>{title}</h2>
      {filtered && (
        <p>
          {t('empty.filtered')}{' '}
          <button type="button" className={styles['inlineLink']} onClick={onClear}>
            {t('empty.clear')}
          </button>
        </p>
      )}
      {watching && (
        <p className={styles['watching']} role="status">
          <span className={styles['pulse']} />
          {t('empty.watching')}
        </p>
      )}
      {!filtered && <HowTo />}
    </div>
  );
}

function HowTo() {
  const t = useT();
  const status = useQuery({ queryKey: ['status'], queryFn: ({ signal }) => get<Status>('/status', {}, signal), staleTime: 10_000 });
  const grpc = reachable(status.data?.otlp_grpc ?? '');
  const http = reachable(status.data?.otlp_http ?? '');
  const header = tenant === null ? '' : `\nexport OTEL_EXPORTER_OTLP_HEADERS=X-Scope-OrgID=${tenant}`;
  return (
    <section className={styles['howTo']}>
      <h3>{t('empty.how')}</h3>
      {status.data && (
        <dl className={styles['endpoints']}>
          {grpc !== '' && <Endpoint name="OTLP/gRPC" address={`http://${grpc}`} />}
          {http !== '' && <Endpoint name="OTLP/HTTP" address={`http://${http}`} />}
        </dl>
      )}
      {http !== '' && (
        <>
          <p>{t('empty.sdk')}</p>
          <Snippet text={`export OTEL_EXPORTER_OTLP_ENDPOINT=http://${http}\nexport OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf${header}`} />
        </>
      )}
      <p>{t('empty.demo')}</p>
      <Snippet text={`clew demo${tenant === null ? '' : ` --tenant ${tenant}`}`} />
    </section>
  );
}

function Endpoint({ name, address }: { name: string; address: string }) {
  const t = useT();
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        <code>{address}</code>
        <Copy text={address} label={t('span.copy')} done={t('copy.done')} />
      </dd>
    </div>
  );
}

function Snippet({ text }: { text: string }) {
  const t = useT();
  return (
    <div className={styles['snippet']}>
      <pre>{text}</pre>
      <Copy text={text} label={t('span.copy')} done={t('copy.done')} />
    </div>
  );
}

/** A server bound to every address is reached under the name that the browser used. */
function reachable(address: string): string {
  return address.replace(/^(?:0\.0\.0\.0|\[::\])(?=:)/, window.location.hostname);
}
