//! What frameworks really emit, as data: add a line here to teach the normaliser something new.
//!
//! * [`attributes`]: names of attributes, newest first; where a span carries several, the first listed wins.
//! * [`names`]: what names of spans, scopes and systems say.
//! * [`outcomes`]: how a call ended, by flags, codes and texts.
//!
//! Rules stand most specific first; the first that matches wins. Users add rules of their own in the
//! configuration file: those come before the ones here.

pub(super) mod attributes;
pub(super) mod names;
pub(super) mod outcomes;
