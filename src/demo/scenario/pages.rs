//! The ways into the shop: pages that web renders, and how often each is asked for.

use super::super::marks::Mark::{self, Everyday, GatewayBypass, Healthy};
use super::super::shape::When::Succeeds;
use super::super::shape::{Flow, Level, Operation, Step, call, ms, retried, says};
use super::operations::*;
use super::services::{GATEWAY, WEB};

// web: Node.js, renders pages

pub(super) static HOME: Operation = operation(
    &WEB,
    http("GET", "/"),
    6.0,
    &[Step::Together(&[call(&GW_PRODUCTS), call(&GW_RECOMMEND)]), Step::Work("render", ms(4.5))],
    &[],
);
pub(super) static PRODUCT_PAGE: Operation = operation(
    &WEB,
    http("GET", "/product/:id"),
    4.0,
    &[call(&GW_PRODUCT), Step::Sometimes(0.5, &call(&GW_RECOMMEND)), Step::Work("render", ms(3.8))],
    &[],
);
pub(super) static CHECKOUT_PAGE: Operation = operation(
    &WEB,
    http("POST", "/checkout"),
    3.0,
    &[retried(&GW_ORDERS, 1, 6_000.0)],
    &[says(Succeeds, Level::Info, "checkout page done user={user}")],
);

// The same in the healthy shop, where all that users ask for comes through the gateway

pub(super) static RENDER_HOME: Operation = operation(
    &WEB,
    http("GET", "/"),
    6.0,
    &[Step::Together(&[call(&LIST_PRODUCTS), call(&GET_CART)]), Step::Work("render", ms(9.0))],
    &[],
);
pub(super) static RENDER_PRODUCT: Operation = operation(
    &WEB,
    http("GET", "/product/:id"),
    4.0,
    &[call(&GET_PRODUCT), call(&GET_CART), Step::Work("render", ms(9.0))],
    &[],
);
pub(super) static GW_HOME: Operation =
    operation(&GATEWAY, routed("GET", "/", "web-home"), 0.8, &[call(&RENDER_HOME)], ACCESS);
pub(super) static GW_PRODUCT_PAGE: Operation =
    operation(&GATEWAY, routed("GET", "/product/{id}", "web-product"), 0.8, &[call(&RENDER_PRODUCT)], ACCESS);

const fn flow(mark: Mark, weight: u32, operation: &'static Operation) -> Flow {
    Flow { mark, weight, operation }
}

/// What people and clocks ask of the shop.
pub(in super::super) static FLOWS: &[Flow] = &[
    flow(Everyday, 26, &HOME),
    flow(Everyday, 22, &PRODUCT_PAGE),
    flow(Everyday, 12, &GW_SEARCH),
    flow(Everyday, 14, &GW_CART),
    flow(Everyday, 12, &CHECKOUT_PAGE),
    flow(Everyday, 6, &GW_ORDER),
    flow(Everyday, 7, &GW_LOGIN),
    flow(Everyday, 1, &SETTLE),
    flow(Healthy, 20, &GW_HOME),
    flow(Healthy, 15, &GW_PRODUCT_PAGE),
    flow(Healthy, 13, &GW_RECOMMEND),
    flow(Healthy, 12, &GW_SEARCH),
    flow(Healthy, 12, &GW_CART),
    flow(Healthy, 12, &GW_ORDERS),
    flow(Healthy, 8, &GW_ORDER),
    flow(Healthy, 7, &GW_LOGIN),
    flow(Healthy, 1, &SETTLE),
    flow(GatewayBypass, 12, &PLACE_ORDER),
];
