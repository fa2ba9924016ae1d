// Keeps an error of one page from taking the frame with it.

import { Component, type ReactNode } from 'react';
import { useT } from '../i18n';
import { Message } from '../parts/states';

export class Boundary extends Component<{ children: ReactNode }, { error: Error | null; at: string }> {
  override state = { error: null as Error | null, at: '' };

  static getDerivedStateFromError(error: unknown): { error: Error; at: string } {
    return { error: error instanceof Error ? error : new Error(String(error)), at: window.location.pathname };
  }

  override componentDidUpdate(): void {
    if (this.state.error && this.state.at !== window.location.pathname) this.setState({ error: null });
  }

  override render(): ReactNode {
    return this.state.error ? <Broken error={this.state.error} /> : this.props.children;
  }
}

function Broken({ error }: { error: Error }) {
  const t = useT();
  return (
    <Message title={t('page.broken')} tone="error">
      <code>{error.message}</code>
    </Message>
  );
}
