//! The whole router, asked without a socket, over a real store.

mod api;
mod compat;
mod findings;
mod prometheus;
mod services;
mod sockets;
mod tenants;
mod usage;
mod world;
mod zipkin;
