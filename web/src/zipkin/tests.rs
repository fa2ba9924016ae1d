//! Parameters, and what a trace must be to be found.
