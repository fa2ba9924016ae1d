// Does the service stand on its own: its data, its releases, its instances.

import type { ReactNode } from 'react';
import { Link } from 'wouter';
import type { ServiceDetail } from '../../api/governance';
import { useT } from '../../i18n';
import { pageLink } from '../../lib/links';
import { useRange } from '../../lib/range-context';
import { nodeName } from '../../parts/nodes';
import { servicePath } from '../../routes';
import { Icon } from '../../ui/Icon';
import { Nothing, Section } from './Section';
import styles from './service.module.css';

export function Autonomy({ detail, env }: { detail: ServiceDetail; env: string }) {
  const t = useT();
  const { autonomy } = detail.service;
  if (!autonomy) {
    return (
      <Section title={t('service.autonomy')}>
        <Nothing>{t('verdict.unknown')}</Nothing>
      </Section>
    );
  }
  const { own_db: own, shared_db: shared, lockstep_with: lockstep, instances_at_once: atOnce } = autonomy;
  return (
    <Section title={t('service.autonomy')}>
      <dl className={styles['autonomy']}>
        <Fact name={t('service.ownDb')}>
          {own.length === 0 ? <None /> : own.map((database) => <div key={database}>{nodeName(database)}</div>)}
        </Fact>
        <Fact name={t('service.sharedDb')} warn={shared.length > 0}>
          {shared.length === 0 ? (
            <None />
          ) : (
            shared.map((item) => (
              <div key={item.database}>
                {nodeName(item.database)} <span className={styles['soft']}>{t('service.sharedWith')}</span>{' '}
                <Names names={item.with} env={env} />
              </div>
            ))
          )}
        </Fact>
        <Fact name={t('service.lockstep')} warn={lockstep.length > 0}>
          {lockstep.length === 0 ? <None /> : <Names names={lockstep} env={env} />}
        </Fact>
        <Fact name={t('service.instancesAtOnce')} warn={atOnce === 1}>
          {atOnce ?? '–'}
        </Fact>
      </dl>
    </Section>
  );
}

function Fact({ name, warn = false, children }: { name: string; warn?: boolean; children: ReactNode }) {
  return (
    <div data-warn={warn}>
      <dt>{name}</dt>
      <dd>
        {warn && <Icon name="warn" size={13} />}
        <div>{children}</div>
      </dd>
    </div>
  );
}

function None() {
  const t = useT();
  return <span className={styles['soft']}>{t('service.none')}</span>;
}

function Names({ names, env }: { names: readonly string[]; env: string }) {
  const { time } = useRange();
  return names.map((name, index) => (
    <span key={name}>
      {index > 0 && ', '}
      <Link href={pageLink(servicePath(name), time, { env })}>{name}</Link>
    </span>
  ));
}
