// Versions in order of appearance, and the way to compare two of them.

import type { ServiceDetail } from '../../api/governance';
import { useT } from '../../i18n';
import { assignHues, hueVar } from '../../lib/color';
import { percent } from '../../lib/format';
import { clock, day, toMs } from '../../lib/time';
import { Button } from '../../ui/Button';
import { byAppearance, charts } from './model';
import { Nothing, Section } from './Section';
import styles from './service.module.css';

export function Releases({ detail, onCompare }: { detail: ServiceDetail; onCompare: (base: string, head: string) => void }) {
  const t = useT();
  const releases = byAppearance(detail.releases).reverse();
  const hues = assignHues(releases.map((release) => release.version));
  const { from, step, steps } = charts(detail);
  const width = step * steps;
  const all = releases.reduce((sum, release) => sum + release.series.reduce((a, b) => a + b, 0), 0);
  return (
    <Section
      title={t('service.releases')}
      actions={
        releases.length > 1 && (
          <Button icon="swap" onClick={() => onCompare('', '')}>
            {t('service.compare')}
          </Button>
        )
      }
    >
      {releases.length === 0 && <Nothing>{t('service.notSeen')}</Nothing>}
      <ol className={styles['releases']}>
        {releases.map((release, index) => {
          const [first, last] = [toMs(release.first_ns), toMs(release.last_ns)];
          const share = all === 0 ? 0 : release.series.reduce((a, b) => a + b, 0) / all;
          const before = releases[index + 1];
          return (
            <li key={release.version}>
              <b title={release.version}>{release.version}</b>
              <span>{percent(share)}</span>
              <span className={styles['life']} aria-hidden="true">
                <i
                  style={{
                    left: `${Math.max(0, ((first - from) / width) * 100)}%`,
                    right: `${Math.max(0, 100 - ((last + step - from) / width) * 100)}%`,
                    background: hueVar(hues.get(release.version) ?? 0),
                  }}
                />
              </span>
              <span className={styles['when']}>
                {day(release.first_ns) === day(release.last_ns) ? '' : `${day(release.first_ns).slice(5)} `}
                {clock(release.first_ns).slice(0, 5)} – {clock(release.last_ns).slice(0, 5)}
              </span>
              {before ? (
                <button
                  type="button"
                  className={styles['inline']}
                  aria-label={`${t('service.compare')} ${before.version} → ${release.version}`}
                  title={`${t('service.compare')} ${before.version} → ${release.version}`}
                  onClick={() => onCompare(before.version, release.version)}
                >
                  {t('service.compare')}
                </button>
              ) : (
                <span />
              )}
            </li>
          );
        })}
      </ol>
    </Section>
  );
}
