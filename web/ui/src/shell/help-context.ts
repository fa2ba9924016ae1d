// How the bar opens the help that the frame owns.

import { createContext } from 'react';

export const HelpContext = createContext<() => void>(() => {});
