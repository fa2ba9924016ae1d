// Figures, findings, examples and ways onward for the selected node or edge.

import { useT } from '../../i18n';
import { IconButton } from '../../ui/Button';
import { EdgeDetail } from './EdgeDetail';
import type { MapModel } from './model';
import { NodeDetail } from './NodeDetail';
import type { Overlay } from './overlay';
import styles from './panel.module.css';

export interface PanelProps {
  model: MapModel;
  overlay: Overlay;
  /** Range and filters of the graph's request. */
  params: Record<string, string>;
  env: string;
  focus: string;
  onSelect: (id: string) => void;
  onFocus: (id: string) => void;
  onOpenGroup: (namespace: string) => void;
}

export function SelectionPanel({ selected, ...props }: PanelProps & { selected: string }) {
  const t = useT();
  const { model } = props;
  const edge = model.edges.find((item) => item.key === selected);
  const node =
    model.nodes.get(selected) ??
    (model.isolated.includes(selected) ? { id: selected, name: selected, kind: 'service' as const, calls: 0, errors: 0 } : undefined);
  return (
    <aside className={styles['panel']} aria-label={selected}>
      <IconButton icon="close" label={t('span.close')} className={styles['close']} onClick={() => props.onSelect('')} />
      {edge && <EdgeDetail edge={edge} {...props} />}
      {!edge && node && <NodeDetail node={node} {...props} />}
      {!edge && !node && <p className={styles['soft']}>{t('map.none')}</p>}
    </aside>
  );
}
