// Choices kept in the browser. Where storage is forbidden they last as long as the page.

const memory = new Map<string, string>();

export function read(key: string): string | null {
  try {
    return localStorage.getItem(`clew.${key}`) ?? memory.get(key) ?? null;
  } catch {
    return memory.get(key) ?? null;
  }
}

export function write(key: string, value: string): void {
  memory.set(key, value);
  try {
    localStorage.setItem(`clew.${key}`, value);
  } catch {
    // Private windows of some browsers: the copy in memory serves.
  }
}
