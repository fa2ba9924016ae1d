//! The way from spans to findings over a real store.
