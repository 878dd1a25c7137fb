/** Bytes and objects on the heap, by constructor or, for what has none, by kind. */
export type HeapUse = ReadonlyMap<string, { readonly bytes: number; readonly objects: number }>;

/** What is used of V8's format. */
interface HeapSnapshot {
  readonly snapshot: {
    readonly meta: {
      readonly node_fields: readonly string[];
      readonly node_types: readonly (readonly string[] | string)[];
    };
  };
  readonly nodes: readonly number[];
  readonly strings: readonly string[];
}

export function heapUseOf({ snapshot, nodes, strings }: HeapSnapshot): HeapUse {
  const { node_fields: fields, node_types: types } = snapshot.meta;
  const [type, name, size] = ['type', 'name', 'self_size'].map((field) => fields.indexOf(field)) as [
    number,
    number,
    number,
  ];
  const kinds = types[type] as readonly string[];
  const use = new Map<string, { bytes: number; objects: number }>();
  for (let node = 0; node < nodes.length; node += fields.length) {
    const kind = kinds[nodes[node + type] as number] as string;
    const named = strings[nodes[node + name] as number] as string;
    const key = kind === 'object' || kind === 'native' ? named : `(${kind})`;
    const known = use.get(key) ?? { bytes: 0, objects: 0 };
    use.set(key, { bytes: known.bytes + (nodes[node + size] as number), objects: known.objects + 1 });
  }
  return use;
}
