//! segment tests
