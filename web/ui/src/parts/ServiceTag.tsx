// A service's name behind its colour.

import { hueOf, hueVar } from '../lib/color';
import styles from './parts.module.css';

export function Swatch({ hue }: { hue: number }) {
  return <span className={styles['swatch']} style={{ background: hueVar(hue) }} aria-hidden="true" />;
}

export function ServiceTag({ name, hue }: { name: string; hue?: number | undefined }) {
  return (
    <span className={styles['serviceTag']}>
      <Swatch hue={hue ?? hueOf(name)} />
      <span>{name}</span>
    </span>
  );
}
