// Buttons of three weights; an icon-only button needs its label.

import type { ButtonHTMLAttributes, ReactNode } from 'react';
import { Icon, type IconName } from './Icon';
import styles from './ui.module.css';

interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  icon?: IconName;
  weight?: 'plain' | 'primary' | 'quiet';
  pressed?: boolean | undefined;
  children?: ReactNode;
}

export function Button({ icon, weight = 'plain', pressed, children, className, ...rest }: ButtonProps) {
  const names = [styles['button'], styles[weight], pressed ? styles['pressed'] : '', className ?? ''];
  return (
    <button type="button" className={names.filter(Boolean).join(' ')} aria-pressed={pressed} {...rest}>
      {icon && <Icon name={icon} size={14} />}
      {children}
    </button>
  );
}

interface IconButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  icon: IconName;
  label: string;
  pressed?: boolean | undefined;
  size?: number;
}

export function IconButton({ icon, label, pressed, size = 16, className, ...rest }: IconButtonProps) {
  const names = [styles['iconButton'], pressed ? styles['pressed'] : '', className ?? ''];
  return (
    <button type="button" className={names.filter(Boolean).join(' ')} aria-label={label} title={label} aria-pressed={pressed} {...rest}>
      <Icon name={icon} size={size} />
    </button>
  );
}
