// Open findings about the service; where there are none, when and where that was judged.

import { Link } from 'wouter';
import type { FindingList } from '../../api/governance';
import { useT } from '../../i18n';
import { count } from '../../lib/format';
import { pageLink } from '../../lib/links';
import { useRange } from '../../lib/range-context';
import { clock } from '../../lib/time';
import { FindingLinks } from '../../parts/FindingLinks';
import { paths } from '../../routes';
import { Section } from './Section';
import styles from './service.module.css';

export function FoundHere({ answer, env, service }: { answer: FindingList | undefined; env: string; service: string }) {
  const t = useT();
  const { time } = useRange();
  if (!answer) return null;
  const link = (
    <Link className={styles['inText']} href={pageLink(paths.governance, time, { env, service })}>
      {t('gov.title')}
    </Link>
  );
  const [before, after] = t('service.noFindings').split('{link}');
  return (
    <Section
      title={t('service.findings')}
      note={answer.findings.length > 0 ? count(answer.findings.length) : undefined}
      actions={
        answer.evaluated_ns && (
          <span className={styles['soft']}>{t('gov.evaluated', { time: clock(answer.evaluated_ns).slice(0, 5) })}</span>
        )
      }
    >
      {answer.findings.length > 0 && <FindingLinks findings={answer.findings} env={env} />}
      {answer.findings.length === 0 && (
        <p className={styles['nothing']}>
          {answer.evaluated_ns ? (
            <>
              {before}
              {link}
              {after}
            </>
          ) : (
            t('gov.never')
          )}
        </p>
      )}
    </Section>
  );
}
