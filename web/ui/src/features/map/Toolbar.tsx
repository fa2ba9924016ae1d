// What of the graph is shown.

import { useId, useState } from 'react';
import type { Graph } from '../../api/types';
import { useT } from '../../i18n';
import { EnvSelect } from '../../parts/EnvSelect';
import { ExactnessLine } from '../../parts/figures';
import { IconButton } from '../../ui/Button';
import { Select } from '../../ui/Select';
import type { MapNode } from './model';
import type { Scoped } from './scope';
import type { MapState } from './state';
import styles from './map.module.css';

interface ToolbarProps {
  state: MapState;
  /** Of the whole graph. */
  nodes: readonly MapNode[];
  graph: Graph | undefined;
  focused: boolean;
  onChange: (change: Partial<MapState>) => void;
}

export function Toolbar({ state, nodes, graph, focused, onChange }: ToolbarProps) {
  const t = useT();
  return (
    <div className={styles['toolbar']}>
      <Focus key={state.focus} value={state.focus} nodes={nodes} onChange={(focus) => onChange({ focus, ns: '' })} />
      {focused && (
        <Select
          label={t('map.depth')}
          value={state.depth}
          set={false}
          onChange={(depth) => onChange({ depth: depth as MapState['depth'] })}
        >
          {['1', '2', '3'].map((depth) => (
            <option key={depth}>{depth}</option>
          ))}
        </Select>
      )}
      <Select
        label={t('map.scope')}
        value={state.scope}
        set={state.scope !== 'all'}
        onChange={(scope) => onChange({ scope: scope as MapState['scope'] })}
      >
        {(['all', 'app', 'infra'] as const).map((scope) => (
          <option key={scope} value={scope}>
            {t(`map.scope.${scope}`)}
          </option>
        ))}
      </Select>
      <EnvSelect value={state.env} onChange={(env) => onChange({ env })} />
      <span className={styles['exact']}>
        <ExactnessLine window={graph?.window} exactness={graph?.exactness} />
      </span>
    </div>
  );
}

function Focus({ value, nodes, onChange }: { value: string; nodes: readonly MapNode[]; onChange: (id: string) => void }) {
  const t = useT();
  const list = useId();
  const named = nodes.find((node) => node.id === value);
  const [typed, type] = useState(named?.name ?? value);
  const choose = (text: string): void => {
    type(text);
    const found = nodes.find((node) => node.name === text) ?? nodes.find((node) => node.id === text);
    if (found) onChange(found.id);
    else if (text === '' && value !== '') onChange('');
  };
  return (
    <label className={styles['focus']}>
      <span>{t('map.focus')}</span>
      <input
        data-query
        list={list}
        value={typed}
        placeholder={t('map.focus.placeholder')}
        spellCheck={false}
        autoComplete="off"
        onChange={(event) => choose(event.target.value)}
        onKeyDown={(event) => {
          // Enter takes the first name that contains what was typed.
          const text = typed.trim().toLowerCase();
          const first = text === '' ? undefined : nodes.find((node) => node.name.toLowerCase().includes(text));
          if (event.key === 'Enter' && first) onChange(first.id);
          if (event.key === 'Escape') event.currentTarget.blur();
        }}
      />
      <datalist id={list}>
        {nodes.map((node) => (
          <option key={node.id} value={node.name} />
        ))}
      </datalist>
      {value !== '' && <IconButton icon="close" size={12} label={t('map.focus.clear')} onClick={() => onChange('')} />}
    </label>
  );
}

/** Says that the graph is larger than what is shown, and which part that is. */
export function TooMany({ total, scoped, onAll }: { total: number; scoped: Scoped; onAll: () => void }) {
  const t = useT();
  const { scope, model, left } = scoped;
  if (scope.kind === 'all' || (scope.kind === 'focus' && scope.chosen && left === 0)) return null;
  const shown =
    scope.kind === 'groups'
      ? t('map.tooMany.groups')
      : t('map.tooMany.focus', { name: model.nodes.get(scope.id)?.name ?? scope.id, depth: scope.depth });
  return (
    <p className={styles['tooMany']} role="status">
      {t('map.tooMany', { n: total, shown: scope.kind === 'groups' && scope.open ? `${shown} + ${scope.open}` : shown })}
      {left > 0 && ` ${t('map.left', { n: left })}`}
      {scope.kind === 'groups' && scope.open !== '' && (
        <button type="button" onClick={onAll}>
          {t('map.focus.clear')}
        </button>
      )}
    </p>
  );
}
