//! What goes wrong every day: the ways to fail, and when they come.

use super::super::shape::Effect::{Fail, Slow};
use super::super::shape::Level::{Error, Warn};
use super::super::shape::Place::{At, Before, In, Outside};
use super::super::shape::{Fault, Incident, PERIOD_S};
use super::operations::*;
use super::services::BANK;

pub(super) const fn fault(
    exception: &'static str,
    message: &'static str,
    http: u16,
    grpc: u16,
    says: &'static [&'static str],
) -> Fault {
    Fault { exception, message, http, grpc, level: Error, says, passing: false }
}

// gRPC codes: 4 DEADLINE_EXCEEDED, 5 NOT_FOUND, 8 RESOURCE_EXHAUSTED, 9 FAILED_PRECONDITION, 13 INTERNAL, 14 UNAVAILABLE

/// What a caller says that gave up waiting; by the caller's language.
pub(in super::super) static JAVA_TIMEOUT: Fault =
    Fault { passing: true, ..fault("java.net.SocketTimeoutException", "Read timed out", 504, 4, TIMEOUT_LINES) };
pub(in super::super) static GO_TIMEOUT: Fault = Fault {
    passing: true,
    ..fault("context.deadlineExceededError", "context deadline exceeded", 504, 4, TIMEOUT_LINES)
};
pub(in super::super) static NODE_TIMEOUT: Fault =
    Fault { passing: true, ..fault("TimeoutError", "The operation was aborted due to timeout", 504, 4, TIMEOUT_LINES) };
pub(in super::super) static PYTHON_TIMEOUT: Fault =
    Fault { passing: true, ..fault("httpx.ReadTimeout", "timed out", 504, 4, TIMEOUT_LINES) };

const TIMEOUT_LINES: &[&str] = &["call timed out after {ms} ms", "调用超时，耗时 {ms} 毫秒"];

static SOLD_OUT: Fault = Fault {
    level: Warn,
    ..fault(
        "com.shop.inventory.OutOfStockException",
        "insufficient stock",
        409,
        9,
        &["库存不足，商品 {sku}", "out of stock sku={sku}"],
    )
};
static BAD_PASSWORD: Fault = Fault {
    level: Warn,
    ..fault("com.shop.user.AuthenticationException", "bad credentials", 401, 16, &["用户 {user} 登录失败：密码错误"])
};
pub(super) static NO_PRODUCT: Fault = Fault {
    level: Warn,
    ..fault("catalog.NotFoundError", "product not found", 404, 5, &["product not found sku={sku}"])
};
static SENTINEL_FLOW: Fault = Fault {
    level: Warn,
    passing: true,
    ..fault(
        "com.alibaba.csp.sentinel.slots.block.flow.FlowException",
        "Blocked by Sentinel: FlowException",
        429,
        8,
        &["触发限流规则，资源 inventory:reserve，阈值 50 QPS", "flow control: reserve is over its limit"],
    )
};
static GATEWAY_LIMIT: Fault = Fault {
    level: Warn,
    ..fault("RequestRateLimiterException", "429 TOO_MANY_REQUESTS", 429, 8, &["触发限流规则，客户端 {ip} 请求过于频繁"])
};
static BREAKER_OPEN: Fault = Fault {
    level: Warn,
    ..fault(
        "io.github.resilience4j.circuitbreaker.CallNotPermittedException",
        "CircuitBreaker 'recommendation' is OPEN and does not permit further calls",
        503,
        14,
        &[
            "熔断器 recommendation 已打开，调用被拒绝",
            "CircuitBreaker 'recommendation' changed state from CLOSED to OPEN",
        ],
    )
};
static BULKHEAD_FULL: Fault = Fault {
    level: Warn,
    ..fault(
        "io.github.resilience4j.bulkhead.BulkheadFullException",
        "Bulkhead 'order-query' is full and does not permit further calls",
        503,
        14,
        &["舱壁 order-query 已满，拒绝请求"],
    )
};
static NO_PROVIDER: Fault = fault(
    "org.apache.dubbo.rpc.RpcException",
    "No provider available from registry nacos:8848 for service com.shop.user.api.UserFacade",
    503,
    14,
    &["注册中心没有可用的提供者：com.shop.user.api.UserFacade"],
);
static DB_POOL: Fault = Fault {
    passing: true,
    ..fault(
        "com.zaxxer.hikari.pool.HikariPool$PoolInitializationException",
        "HikariPool-1 - Connection is not available, request timed out after 3000ms.",
        500,
        13,
        &["数据库连接池耗尽，活跃连接 20，等待 37", "connection pool exhausted (active=20, waiting=37)"],
    )
};
pub(super) static BANK_DOWN: Fault = Fault {
    passing: true,
    ..fault(
        "com.shop.payment.BankUnavailableException",
        "bank answered 503",
        502,
        14,
        &["支付渠道不可用，订单 {order}", "bank unavailable order={order}"],
    )
};
pub(super) static NULL_CURRENCY: Fault = fault(
    "java.lang.NullPointerException",
    "Cannot invoke \"java.util.Currency.getCurrencyCode()\" because \"order.currency\" is null",
    500,
    13,
    &["支付失败，订单 {order}：空指针异常", "unhandled exception while charging order {order}"],
);
pub(super) static BAD_MODEL: Fault = fault(
    "ValueError",
    "operands could not be broadcast together with shapes (128,) (64,)",
    500,
    13,
    &["scoring failed for user {user}"],
);
static DEADLOCK: Fault = Fault {
    passing: true,
    ..fault(
        "com.mysql.cj.jdbc.exceptions.MySQLTransactionRollbackException",
        "Deadlock found when trying to get lock; try restarting transaction",
        500,
        13,
        &["更新库存时发生死锁，商品 {sku}，事务已回滚"],
    )
};

/// The small failures of every day, and what comes once in every period.
pub(in super::super) static INCIDENTS: &[Incident] = &[
    Incident {
        name: "sold-out",
        from: 0,
        seconds: PERIOD_S,
        place: In(&RESERVE),
        share: 0.02,
        effect: Fail(&SOLD_OUT),
    },
    Incident {
        name: "bad-password",
        from: 0,
        seconds: PERIOD_S,
        place: In(&LOGIN),
        share: 0.06,
        effect: Fail(&BAD_PASSWORD),
    },
    Incident {
        name: "unknown-product",
        from: 0,
        seconds: PERIOD_S,
        place: In(&GET_PRODUCT),
        share: 0.002,
        effect: Fail(&NO_PRODUCT),
    },
    Incident {
        name: "bad-model",
        from: 0,
        seconds: PERIOD_S,
        place: In(&RECOMMEND),
        share: 0.01,
        effect: Fail(&BAD_MODEL),
    },
    Incident {
        name: "deadlock",
        from: 0,
        seconds: PERIOD_S,
        place: At(&RESERVE_STOCK),
        share: 0.006,
        effect: Fail(&DEADLOCK),
    },
    Incident {
        name: "client-limited",
        from: 0,
        seconds: PERIOD_S,
        place: In(&GW_SEARCH),
        share: 0.015,
        effect: Fail(&GATEWAY_LIMIT),
    },
    Incident { name: "slow-bank", from: 60, seconds: 100, place: Outside(&BANK), share: 0.4, effect: Slow(14.0) },
    Incident {
        name: "recommendation-slow",
        from: 200,
        seconds: 80,
        place: In(&RECOMMEND),
        share: 0.6,
        effect: Slow(80.0),
    },
    Incident {
        name: "recommendation-breaker",
        from: 225,
        seconds: 90,
        place: Before(&RECOMMEND),
        share: 0.8,
        effect: Fail(&BREAKER_OPEN),
    },
    Incident {
        name: "inventory-limited",
        from: 340,
        seconds: 70,
        place: In(&RESERVE),
        share: 0.5,
        effect: Fail(&SENTINEL_FLOW),
    },
    Incident {
        name: "order-bulkhead",
        from: 420,
        seconds: 60,
        place: Before(&GET_ORDER),
        share: 0.5,
        effect: Fail(&BULKHEAD_FULL),
    },
    Incident {
        name: "slow-search",
        from: 500,
        seconds: 90,
        place: At(&PRODUCT_SEARCH),
        share: 0.5,
        effect: Slow(20.0),
    },
    Incident {
        name: "user-no-provider",
        from: 610,
        seconds: 25,
        place: Before(&GET_USER),
        share: 0.7,
        effect: Fail(&NO_PROVIDER),
    },
    Incident {
        name: "order-pool",
        from: 690,
        seconds: 60,
        place: In(&CREATE_ORDER),
        share: 0.35,
        effect: Fail(&DB_POOL),
    },
    Incident { name: "slow-carrier", from: 770, seconds: 60, place: In(&QUOTE), share: 0.7, effect: Slow(1_500.0) },
    Incident { name: "bank-down", from: 840, seconds: 40, place: In(&CHARGE), share: 0.4, effect: Fail(&BANK_DOWN) },
];
