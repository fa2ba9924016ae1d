//! Windows of made-up traces.
