// The language: stored choice, else the browser's.

import { createContext, use, useCallback, useEffect, useMemo, useState, type ReactNode } from 'react';
import { count } from '../lib/format';
import { read, write } from '../lib/stored';
import { en, type Key } from './en';
import { message, type Params } from './message';
import { zh } from './zh-CN';

export type { Key } from './en';
export type Language = 'en' | 'zh';
export type Translate = (key: Key, params?: Params) => string;

interface I18n {
  language: Language;
  setLanguage: (language: Language) => void;
  t: Translate;
}

const dictionaries: Record<Language, Record<Key, string>> = { en, zh };
const Context = createContext<I18n>({ language: 'en', setLanguage: () => {}, t: (key) => en[key] });

export function preferredLanguage(stored: string | null, browser: readonly string[]): Language {
  if (stored === 'en' || stored === 'zh') return stored;
  const first = browser.find((tag) => /^(en|zh)\b/i.test(tag));
  return first?.toLowerCase().startsWith('zh') ? 'zh' : 'en';
}

export function I18nProvider({ children }: { children: ReactNode }) {
  const [language, choose] = useState<Language>(() => preferredLanguage(read('language'), navigator.languages));
  const setLanguage = useCallback((next: Language) => {
    write('language', next);
    choose(next);
  }, []);
  useEffect(() => {
    document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en';
  }, [language]);
  const value = useMemo<I18n>(() => {
    const dictionary = dictionaries[language];
    return { language, setLanguage, t: (key, params) => (params ? message(dictionary[key], params, count) : dictionary[key]) };
  }, [language, setLanguage]);
  return <Context value={value}>{children}</Context>;
}

export function useI18n(): I18n {
  return use(Context);
}

export function useT(): Translate {
  return use(Context).t;
}
