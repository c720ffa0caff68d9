const longestKey = 256;

/**
 * A pure function of a text that remembers its latest results: at most `size` of them (then it starts afresh), and none
 * for a text of more than 256 characters, since what clients send becomes a key.
 */
export function memoise<Result>(size: number, compute: (text: string) => Result): (text: string) => Result {
  const known = new Map<string, Result>();
  return (text) => {
    const remembered = known.get(text);
    if (remembered !== undefined) return remembered;
    const result = compute(text);
    if (text.length <= longestKey) {
      if (known.size >= size) known.clear();
      known.set(text, result);
    }
    return result;
  };
}
