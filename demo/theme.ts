/** Light or dark: the system's choice until the reader makes one, which is then kept. */
export type Theme = 'light' | 'dark';

const KEY = 'reckon.theme';

function isTheme(value: unknown): value is Theme {
  return value === 'light' || value === 'dark';
}

/** Storage may be forbidden; then a choice lasts as long as the page. */
function stored(): Theme | null {
  try {
    const value = localStorage.getItem(KEY);
    return isTheme(value) ? value : null;
  } catch {
    return null;
  }
}

function show(theme: Theme): void {
  document.documentElement.dataset.theme = theme;
}

export function currentTheme(): Theme {
  return document.documentElement.dataset.theme === 'dark' ? 'dark' : 'light';
}

/** Shows the reader's theme and follows the system's until one is chosen. `changed` is called after each change. */
export function followTheme(changed: () => void): void {
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const apply = () => {
    show(stored() ?? (dark.matches ? 'dark' : 'light'));
    changed();
  };
  dark.addEventListener('change', apply);
  apply();
}

export function chooseTheme(theme: Theme): void {
  show(theme);
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // Nothing is lost but the memory of it.
  }
}
