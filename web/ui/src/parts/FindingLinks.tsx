// Findings as links to the page that proves them.

import { Link } from 'wouter';
import type { Finding } from '../api/governance';
import { useI18n } from '../i18n';
import { pageLink } from '../lib/links';
import { useRange } from '../lib/range-context';
import { paths } from '../routes';
import { SeverityMark } from './figures';
import { inLanguage } from './findings';
import styles from './figures.module.css';

export function FindingLinks({ findings, env }: { findings: readonly Finding[]; env: string }) {
  const { language } = useI18n();
  const { time } = useRange();
  return (
    <ul className={styles['findings']}>
      {findings.map((finding) => (
        <li key={finding.id}>
          <Link href={pageLink(paths.governance, time, { env, sel: finding.id })}>
            <SeverityMark severity={finding.severity} />
            <span className={styles['ruleId']}>{finding.rule}</span>
            <span className={styles['claim']}>{inLanguage(finding.claim, language)}</span>
          </Link>
        </li>
      ))}
    </ul>
  );
}
