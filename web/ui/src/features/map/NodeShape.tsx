// One shape for each kind of node, so that colour is never the only difference.

import type { FindingSeverity } from '../../api/governance';
import type { NodeKind } from '../../api/types';
import { useT } from '../../i18n';
import { hueOf, hueVar } from '../../lib/color';
import { percent, rate } from '../../lib/format';
import { boldWidth } from '../../lib/text-width';
import { NODE_HEIGHT, NODE_WIDTH, type Point } from './layout';
import type { MapNode } from './model';
import styles from './map.module.css';

interface NodeShapeProps {
  node: MapNode;
  at: Point;
  /** Zoom of the drawing: text never gets smaller than 11 pixels on the screen. */
  zoom: number;
  findings: { count: number; worst: FindingSeverity | null };
  seconds: number;
  selected: boolean;
  focused: boolean;
  dim: boolean;
  onHover: (id: string) => void;
  onSelect: (id: string) => void;
}

const NAME_SIZE = 12.5;
const LEAST_PIXELS = 11;
const FIGURES_FROM = 0.78;

export function NodeShape({ node, at, zoom, findings, seconds, selected, focused, dim, onHover, onSelect }: NodeShapeProps) {
  const t = useT();
  const share = node.calls === 0 ? 0 : node.errors / node.calls;
  const kind = node.members === undefined ? t(`map.kind.${node.kind}`) : t('map.group');
  const figures = zoom >= FIGURES_FROM;
  const size = Math.min(NODE_HEIGHT * 0.6, Math.max(NAME_SIZE, LEAST_PIXELS / zoom));
  const lower = node.kind === 'database' ? 2.5 : 0;
  const found = findings.count > 0 ? t('findings.count', { n: findings.count }) : '';
  return (
    <g
      data-hit
      className={styles['node']}
      data-selected={selected}
      data-focused={focused}
      data-dim={dim}
      tabIndex={0}
      role="button"
      aria-label={[`${kind} ${node.name}`, rate(node.calls / seconds), percent(share), found].filter(Boolean).join(', ')}
      transform={`translate(${at.x - NODE_WIDTH / 2} ${at.y - NODE_HEIGHT / 2})`}
      onPointerEnter={() => onHover(node.id)}
      onPointerLeave={() => onHover('')}
      onClick={() => onSelect(node.id)}
      onKeyDown={(event) => event.key === 'Enter' && onSelect(node.id)}
    >
      <title>{`${kind}: ${node.name}`}</title>
      {node.members !== undefined && <rect className={styles['outline']} x="5" y="-5" width={NODE_WIDTH} height={NODE_HEIGHT} rx="5" />}
      <Outline kind={node.kind} />
      {node.kind === 'service' && (
        <rect x="0.5" y="7" width="4" height={NODE_HEIGHT - 14} rx="1.5" style={{ fill: hueVar(hueOf(node.name)) }} />
      )}
      <text
        x={figures ? 18 : 9}
        y={lower + (figures ? 18 : NODE_HEIGHT / 2 + size * 0.36)}
        className={styles['nodeName']}
        style={{ fontSize: size }}
      >
        {cut(node.name, NODE_WIDTH - (figures ? 28 : 14), size)}
      </text>
      {figures && (
        <text x={18} y={lower + 33} className={styles['nodeFigures']}>
          {rate(node.calls / seconds)}
          {share > 0 && node.members === undefined && (
            <tspan style={share >= 0.01 ? { fill: share >= 0.05 ? 'var(--error)' : 'var(--warn)' } : undefined}> · {percent(share)}</tspan>
          )}
        </text>
      )}
      {figures && (node.members !== undefined || node.layer) && (
        <text x={NODE_WIDTH - 10} y={33} textAnchor="end" className={styles['nodeLayer']}>
          {node.members !== undefined ? t('map.groupOf', { n: node.members }) : node.layer ? t(`layer.${node.layer}`) : ''}
        </text>
      )}
      {findings.worst && <Badge count={findings.count} severity={findings.worst} zoom={zoom} />}
    </g>
  );
}

/** Cuts a name to a width. */
function cut(name: string, width: number, size: number): string {
  const room = width / size;
  if (boldWidth(name) <= room) return name;
  const letters = [...name];
  while (letters.length > 1 && boldWidth(`${letters.join('')}…`) > room) letters.pop();
  return `${letters.join('')}…`;
}

function Badge({ count, severity, zoom }: { count: number; severity: FindingSeverity; zoom: number }) {
  const scale = Math.max(1, 0.8 / zoom);
  return (
    <g className={styles['badge']} data-severity={severity} transform={`translate(${NODE_WIDTH - 8} 0) scale(${scale})`}>
      {severity === 'critical' ? <path d="M0 -10.500 11 8H-11z" /> : <circle r="8.500" />}
      <text y={severity === 'critical' ? 5.5 : 3.8} textAnchor="middle">
        {count}
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
    case 'unknown':
      return <rect {...common} strokeDasharray="2 3" width={w} height={h} rx={h / 2} />;
    case 'user':
      return <rect {...common} width={w} height={h} rx={h / 2} />;
    default:
      return <rect {...common} width={w} height={h} rx="5" />;
  }
}
