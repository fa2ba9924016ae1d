// One shape for each kind of node, so that colour is never the only difference.

import type { GraphNode, NodeKind } from '../../api/types';
import { useT } from '../../i18n';
import { hueOf, hueVar } from '../../lib/color';
import { percent, rate } from '../../lib/format';
import { NODE_HEIGHT, NODE_WIDTH, type Point } from './layout';
import styles from './map.module.css';

interface NodeShapeProps {
  node: GraphNode;
  at: Point;
  seconds: number;
  selected: boolean;
  dim: boolean;
  onHover: (id: string) => void;
  onSelect: (id: string) => void;
}

const NAME_LENGTH = 19;

export function NodeShape({ node, at, seconds, selected, dim, onHover, onSelect }: NodeShapeProps) {
  const t = useT();
  const share = node.calls === 0 ? 0 : node.errors / node.calls;
  const kind = t(`map.kind.${node.kind}`);
  const name = node.name.length > NAME_LENGTH ? `${node.name.slice(0, NAME_LENGTH - 1)}…` : node.name;
  return (
    <g
      data-hit
      className={styles['node']}
      data-selected={selected}
      data-dim={dim}
      tabIndex={0}
      role="button"
      aria-label={`${kind} ${node.name}, ${rate(node.calls / seconds)}, ${percent(share)}`}
      transform={`translate(${at.x - NODE_WIDTH / 2} ${at.y - NODE_HEIGHT / 2})`}
      onPointerEnter={() => onHover(node.id)}
      onPointerLeave={() => onHover('')}
      onClick={() => onSelect(node.id)}
      onKeyDown={(event) => event.key === 'Enter' && onSelect(node.id)}
    >
      <title>{`${kind}: ${node.name}`}</title>
      <Outline kind={node.kind} />
      {node.kind === 'service' && (
        <rect x="0.5" y="7" width="4" height={NODE_HEIGHT - 14} rx="1.5" style={{ fill: hueVar(hueOf(node.name)) }} />
      )}
      <text x={18} y={18} className={styles['nodeName']}>
        {name}
      </text>
      <text x={18} y={33} className={styles['nodeFigures']}>
        {rate(node.calls / seconds)}
        {share > 0 && (
          <tspan style={share >= 0.01 ? { fill: share >= 0.05 ? 'var(--error)' : 'var(--warn)' } : undefined}> · {percent(share)}</tspan>
        )}
      </text>
    </g>
  );
}

function Outline({ kind }: { kind: NodeKind }) {
  const [w, h] = [NODE_WIDTH, NODE_HEIGHT];
  const common = { className: styles['outline'] ?? '' };
  switch (kind) {
    case 'database':
      // A cylinder on its side view: curved top and bottom.
      return (
        <g {...common}>
          <path
            d={`M0 6C0 2.700 ${w * 0.22} 0 ${w / 2} 0S${w} 2.700 ${w} 6V${h - 6}C${w} ${h - 2.7} ${w * 0.78} ${h} ${w / 2} ${h}S0 ${h - 2.7} 0 ${h - 6}Z`}
          />
          <path d={`M0 6c0 3.300 ${w * 0.22} 5 ${w / 2} 5s${w / 2}-1.700 ${w / 2}-5`} fill="none" />
        </g>
      );
    case 'topic':
      return <path {...common} d={`M10 0H${w}L${w - 10} ${h}H0Z`} />;
    case 'external':
      return <path {...common} strokeDasharray="4 3" d={`M10 0H${w - 10}L${w} ${h / 2}L${w - 10} ${h}H10L0 ${h / 2}Z`} />;
    case 'user':
      return <rect {...common} width={w} height={h} rx={h / 2} />;
    default:
      return <rect {...common} width={w} height={h} rx="5" />;
  }
}
