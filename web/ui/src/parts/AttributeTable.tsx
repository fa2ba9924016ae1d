// Keys, types and values of an attribute list, each with copy and filter.

import { Fragment } from 'react';
import type { Attribute } from '../api/types';
import { useT } from '../i18n';
import { Copy } from '../ui/Copy';
import { IconButton } from '../ui/Button';
import styles from './parts.module.css';
import { filterable, plain, pretty } from './values';

interface AttributeTableProps {
  attributes: readonly Attribute[];
  dropped?: number | undefined;
  onFilter?: ((attribute: Attribute, negated: boolean) => void) | undefined;
}

export function AttributeTable({ attributes, dropped = 0, onFilter }: AttributeTableProps) {
  const t = useT();
  if (attributes.length === 0 && dropped === 0) return <p className={styles['none']}>{t('span.noAttributes')}</p>;
  return (
    <>
      <table className={styles['attributes']}>
        <tbody>
          {attributes.map((attribute, index) => (
            // Keys may repeat in what was sent; the place keeps rows apart.
            <tr key={`${index} ${attribute.key}`}>
              <th scope="row">
                <Name text={attribute.key} />
              </th>
              <td>
                <span className={styles['value']} data-type={attribute.type}>
                  {attribute.type === 'empty' ? '∅' : attribute.type === 'string' && attribute.value === '' ? '""' : pretty(attribute)}
                </span>
                {attribute.type !== 'string' && <span className={styles['type']}>{attribute.type}</span>}
              </td>
              <td className={styles['actions']}>
                <div>
                  {onFilter && filterable(attribute) && (
                    <>
                      <IconButton
                        icon="plus"
                        size={14}
                        label={t('span.filter', { key: attribute.key })}
                        onClick={() => onFilter(attribute, false)}
                      />
                      <IconButton
                        icon="minus"
                        size={14}
                        label={t('span.exclude', { key: attribute.key })}
                        onClick={() => onFilter(attribute, true)}
                      />
                    </>
                  )}
                  <Copy text={plain(attribute)} label={t('span.copy')} done={t('copy.done')} />
                </div>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {dropped > 0 && <p className={styles['dropped']}>{t('span.dropped', { n: dropped })}</p>}
    </>
  );
}

/** A dotted name that may break after its dots. */
function Name({ text }: { text: string }) {
  return text.split(/(?<=[._/])/).map((part, index) => (
    <Fragment key={index}>
      {index > 0 && <wbr />}
      {part}
    </Fragment>
  ));
}
