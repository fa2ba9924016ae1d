//! Nine services that price an order one behind the other: what a sync chain looks like that is too deep.

use super::super::shape::{Language, Operation, Service, Step, call};
use super::operations::{grpc, operation};
use super::services::service;

const fn link(name: &'static str) -> Service {
    service(name, "1.0.0", Language::Go, 2, 9090)
}

static PRICING: Service = link("pricing");
static PROMOTION: Service = link("promotion");
static COUPON: Service = link("coupon");
static MEMBERSHIP: Service = link("membership");
static POINTS: Service = link("points");
static LEDGER: Service = link("ledger");
static RISK: Service = link("risk");
static RULES: Service = link("rules");
static LIMITS: Service = link("limits");

const fn asks(
    service: &'static Service,
    interface: &'static str,
    method: &'static str,
    steps: &'static [Step],
) -> Operation {
    operation(service, grpc(interface, method), 0.7, steps, &[])
}

pub(super) static PRICE: Operation = asks(&PRICING, "shop.pricing.v1.Pricing", "Price", &[call(&PROMOTE)]);
static PROMOTE: Operation = asks(&PROMOTION, "shop.promotion.v1.Promotion", "Match", &[call(&REDEEM)]);
static REDEEM: Operation = asks(&COUPON, "shop.coupon.v1.Coupon", "Redeem", &[call(&LEVEL)]);
static LEVEL: Operation = asks(&MEMBERSHIP, "shop.membership.v1.Membership", "GetLevel", &[call(&BALANCE)]);
static BALANCE: Operation = asks(&POINTS, "shop.points.v1.Points", "GetBalance", &[call(&ENTRIES)]);
static ENTRIES: Operation = asks(&LEDGER, "shop.ledger.v1.Ledger", "ListEntries", &[call(&SCORE)]);
static SCORE: Operation = asks(&RISK, "shop.risk.v1.Risk", "Score", &[call(&EVALUATE)]);
static EVALUATE: Operation = asks(&RULES, "shop.rules.v1.Rules", "Evaluate", &[call(&CHECK)]);
static CHECK: Operation = asks(&LIMITS, "shop.limits.v1.Limits", "Check", &[]);
