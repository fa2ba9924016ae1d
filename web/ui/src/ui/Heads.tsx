// The heads of a table's columns, those of numbers among them.

export function Heads({ of }: { of: readonly (string | { number: string })[] }) {
  return (
    <thead>
      <tr>
        {of.map((column, index) =>
          typeof column === 'string' ? (
            <th key={index} scope="col">
              {column}
            </th>
          ) : (
            <th key={index} scope="col" data-number>
              {column.number}
            </th>
          ),
        )}
      </tr>
    </thead>
  );
}
