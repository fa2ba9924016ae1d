//! What goes wrong on request: the faults of `--fault`, and the releases.
//!
//! A fault that is another way of the calls themselves is a [`Step::With`](super::super::shape::Step) in the tables of operations.

use super::super::marks::Mark;
use super::super::shape::Effect::{Fail, Say, Slow, Tell};
use super::super::shape::Place::{At, Before, In, Outside, Queue};
use super::super::shape::When::Begins;
use super::super::shape::{Effect, Fault, Injection, Level, Line, Operation, Place, Release, Service, Trouble, says};
use super::incidents::{BAD_MODEL, BANK_DOWN, NO_PRODUCT, NULL_CURRENCY, fault};
use super::operations::*;
use super::services::{BANK, CART, CATALOG, INVENTORY, PAYMENT, USER};

static ORDER_BREAKER: Fault = Fault {
    level: Level::Warn,
    ..fault(
        "io.github.resilience4j.circuitbreaker.CallNotPermittedException",
        "CircuitBreaker 'order-query' is OPEN and does not permit further calls",
        503,
        14,
        &["熔断器 order-query 已打开，调用被拒绝", "CircuitBreaker 'order-query' changed state from CLOSED to OPEN"],
    )
};
static OVER_LIMIT: Fault = Fault {
    level: Level::Warn,
    ..fault(
        "com.alibaba.csp.sentinel.slots.block.flow.FlowException",
        "Blocked by Sentinel: FlowException",
        429,
        8,
        &["触发限流规则，资源 inventory:reserve，阈值 50 QPS", "flow control: reserve is over its limit"],
    )
};
static NO_INVENTORY: Fault = fault(
    "org.apache.dubbo.rpc.RpcException",
    "No provider available from registry nacos:8848 for service com.shop.inventory.api.InventoryFacade",
    503,
    14,
    &["注册中心没有可用的提供者：com.shop.inventory.api.InventoryFacade"],
);
static NULL_LEVEL: Fault = fault(
    "java.lang.NullPointerException",
    "Cannot invoke \"com.shop.user.api.Level.code()\" because \"user.level\" is null",
    500,
    13,
    &["查询用户 {user} 失败：空指针异常", "unhandled exception for user {user}"],
);
static NO_SEQUENCE: Fault = fault(
    "java.lang.IllegalStateException",
    "order sequence is exhausted",
    500,
    13,
    &["订单号序列耗尽，订单 {order} 创建失败", "order sequence is exhausted, order {order} was not created"],
);
/// What a caller sees whose answer got lost.
pub(in super::super) static LOST_ANSWER: Fault = fault(
    "java.net.SocketException",
    "Connection reset by peer",
    502,
    14,
    &["连接被对端重置", "connection reset by peer while reading the answer"],
);

static UNREADABLE_CART: Line =
    says(Begins, Level::Error, "cart payload of user {user} is unreadable: unknown field `coupon_v2`");
static CARD_IN_LOG: Line =
    says(Begins, Level::Info, "charging card 4111 1111 1111 1111 for order {order}, amount {amount}");
static KEY_IN_LOG: Line =
    says(Begins, Level::Info, "uploading invoice of order {order}, access_key=AKIAQ7DEMOKEY4NOBODY region=cn-north-1");
const TOKEN: &str = "Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJkZW1vIiwibmFtZSI6Im5vYm9keSJ9.bm9ib2R5LXNpZ25lZC10aGlzLWRlbW8tdG9rZW4";

/// The whole time, at every so manieth visit.
const fn always(mark: Mark, place: Place, share: f64, effect: Effect) -> Injection {
    Injection { mark, since: 0.0, bursts: false, place, share, effect }
}

/// Not yet at first, so that there is something to compare with.
const fn later(mark: Mark, place: Place, share: f64, effect: Effect) -> Injection {
    Injection { since: LATER, ..always(mark, place, share, effect) }
}

const LATER: f64 = 0.4;

pub(in super::super) static INJECTIONS: &[Injection] = &[
    // Nobody's fault, and no finding either.
    always(Mark::Healthy, In(&GET_PRODUCT), 0.001, Fail(&NO_PRODUCT)),
    always(Mark::RetryStorm, In(&CHARGE), 0.6, Fail(&BANK_DOWN)),
    always(Mark::Timeout, Outside(&BANK), 0.4, Slow(20.0)),
    always(Mark::BreakerOpen, Before(&GET_ORDER), 0.6, Fail(&ORDER_BREAKER)),
    always(Mark::Degraded, In(&RECOMMEND), 0.3, Fail(&BAD_MODEL)),
    always(Mark::RateLimited, In(&RESERVE), 0.2, Fail(&OVER_LIMIT)),
    always(Mark::ErrorOrigin, In(&CREATE_ORDER), 0.3, Fail(&NO_SEQUENCE)),
    always(Mark::Bottleneck, At(&PRODUCT_LIST), 0.08, Slow(20.0)),
    later(Mark::SilentService, Before(&RESERVE), 1.0, Fail(&NO_INVENTORY)),
    // Logs are compared with the half hour before.
    Injection { bursts: true, since: 0.9, ..always(Mark::LogBurst, In(&GET_CART), 1.0, Say(&UNREADABLE_CART)) },
    always(Mark::LeakedSecret, In(&GW_ORDERS), 1.0, Tell("http.request.header.authorization", TOKEN)),
    always(Mark::LeakedSecret, In(&CHARGE), 1.0, Say(&CARD_IN_LOG)),
    always(Mark::LeakedSecret, In(&FULFIL), 1.0, Say(&KEY_IN_LOG)),
    later(Mark::QueueLag, Queue(&ORDER_CREATED), 1.0, Slow(250.0)),
];

/// Of [`Mark::SingleInstance`].
pub(in super::super) static SINGLE: &Service = &CATALOG;

/// Of [`Mark::ClockSkew`]: whose clock, of which instance, and how many ns it is ahead.
pub(in super::super) static FAST_CLOCK: (&Service, u32, u64) = (&CATALOG, 1, 80_000_000);

/// Of [`Mark::LostContext`]: something between the caller and the operation makes a span that it never sends.
pub(in super::super) static CALLS_ARRIVE_WITH_ANOTHER_PARENT: (&Service, &Operation) = (&CART, &GET_PRODUCT);

const fn release(mark: Mark, service: &'static Service, version: &'static str, at: f64) -> Release {
    Release { mark, service, version, at, seconds_between_instances: 20, trouble: None }
}

/// Of one service oldest first.
pub(in super::super) static RELEASES: &[Release] = &[
    Release {
        trouble: Some(Trouble { fault: &NULL_CURRENCY, share: 0.4, seconds: Some(75) }),
        ..release(Mark::Everyday, &PAYMENT, "1.5.0", 0.5)
    },
    // A release that goes well is no finding.
    release(Mark::Healthy, &PAYMENT, "1.5.0", 0.5),
    Release {
        trouble: Some(Trouble { fault: &NULL_LEVEL, share: 0.2, seconds: None }),
        ..release(Mark::BadRelease, &USER, "1.9.0", 0.4)
    },
    release(Mark::LockstepRelease, &CART, "2.1.0", 0.2),
    release(Mark::LockstepRelease, &CART, "2.2.0", 0.4),
    release(Mark::LockstepRelease, &CART, "2.3.0", 0.6),
    release(Mark::LockstepRelease, &CART, "2.4.0", 0.8),
    release(Mark::LockstepRelease, &INVENTORY, "1.3.8", 0.205),
    release(Mark::LockstepRelease, &INVENTORY, "1.3.9", 0.405),
    release(Mark::LockstepRelease, &INVENTORY, "1.4.0", 0.605),
    release(Mark::LockstepRelease, &INVENTORY, "1.4.1", 0.805),
];
