// A button that copies and says so for a moment.

import { useEffect, useState } from 'react';
import { copyText } from '../lib/clipboard';
import { IconButton } from './Button';

export function Copy({ text, label, done, className }: { text: string; label: string; done: string; className?: string | undefined }) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return undefined;
    const timer = setTimeout(() => setCopied(false), 1200);
    return () => clearTimeout(timer);
  }, [copied]);
  return (
    <IconButton
      icon={copied ? 'check' : 'copy'}
      label={copied ? done : label}
      size={14}
      className={className}
      onClick={() => void copyText(text).then(setCopied)}
    />
  );
}
